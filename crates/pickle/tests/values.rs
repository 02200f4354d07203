//! The rules on values of the built-in lists: for each entry, what picklers write, and what would run code, read
//! memory or allocate it.
#![allow(
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use brine_pickle::{AllowList, PickleRule, ScanOptions, ScanReport, scan};

/// Writes a pickle as one reads it: `numpy:dtype` imports, `'f8'`, `b'x'` and `5` are literals, and other words
/// stand for opcodes.
fn assemble(text: &str) -> Vec<u8> {
    let mut code = b"\x80\x04".to_vec();
    for word in text.split_whitespace() {
        code.extend(opcode(word));
    }
    code.push(b'.');
    code
}

fn opcode(word: &str) -> Vec<u8> {
    let text =
        |text: &str| [b"\x8c", &[u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat();
    let simple: &[u8] = match word {
        "None" => b"N",
        "True" => b"\x88",
        "False" => b"\x89",
        "1.5" => b"G\x3f\xf8\0\0\0\0\0\0",
        "()" => b")",
        "[]" => b"]",
        "{}" => b"}",
        "set" => b"\x8f",
        "(" => b"(",
        "tuple" => b"t",
        "tuple1" => b"\x85",
        "tuple2" => b"\x86",
        "tuple3" => b"\x87",
        "call" => b"R",
        "new" => b"\x81",
        "new_ex" => b"\x92",
        "build" => b"b",
        "append" => b"a",
        "appends" => b"e",
        "setitem" => b"s",
        "setitems" => b"u",
        "additems" => b"\x90",
        "pop" => b"0",
        "dup" => b"2",
        "obj" => b"o",
        "list" => b"l",
        _ => b"",
    };
    if !simple.is_empty() {
        return simple.to_vec();
    }
    let index = |word: &str| u8::try_from(word.parse::<usize>().unwrap()).unwrap();
    if let Some(number) = word.strip_prefix("put") {
        return vec![b'q', index(number)];
    }
    if let Some(number) = word.strip_prefix("get") {
        return vec![b'h', index(number)];
    }
    if let Some(bytes) = word.strip_prefix("b'").and_then(|rest| rest.strip_suffix('\'')) {
        let bytes = unescape(bytes);
        return [b"C", &[u8::try_from(bytes.len()).unwrap()][..], &bytes].concat();
    }
    if let Some(bytes) = word.strip_prefix("ba'").and_then(|rest| rest.strip_suffix('\'')) {
        let bytes = unescape(bytes);
        return [b"\x96", &u64::try_from(bytes.len()).unwrap().to_le_bytes()[..], &bytes].concat();
    }
    if let Some(bytes) = word.strip_prefix("s'").and_then(|rest| rest.strip_suffix('\'')) {
        return [b"U", &[u8::try_from(bytes.len()).unwrap()][..], bytes.as_bytes()].concat();
    }
    if let Some(quoted) = word.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return text(quoted);
    }
    if let Ok(number) = word.parse::<i64>() {
        return [b"\x8a\x08", &number.to_le_bytes()[..]].concat();
    }
    let (module, name) = word.split_once(':').unwrap_or_else(|| panic!("{word:?}"));
    [text(module), text(name), b"\x93".to_vec()].concat()
}

/// `\xNN` and nothing else.
fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(&part.as_bytes()[2..]);
    }
    bytes
}

fn judge(text: &str, list: &AllowList) -> ScanReport {
    scan(&assemble(text), &ScanOptions::new(list))
}

fn both() -> AllowList {
    let mut list = AllowList::std();
    list.extend(AllowList::numpy());
    list
}

/// Pieces that stand for what NumPy writes of its types.
fn expand(text: &str) -> String {
    let made = |code: &str, state: &str| {
        format!("numpy:dtype '{code}' False True tuple3 call ( {state} tuple build")
    };
    text.replace("<f8>", &made("f8", "3 '<' None None None -1 -1 0"))
        .replace("<i8>", &made("i8", "3 '<' None None None -1 -1 0"))
        .replace("<i4>", &made("i4", "3 '<' None None None -1 -1 0"))
        .replace("<U2>", &made("U2", "3 '<' None None None 8 4 8"))
        .replace("<O>", &made("O8", "3 '|' None None None -1 -1 63"))
        .replace("<array>", &format!("{RECONSTRUCT} numpy:ndarray 0 tuple1 b'b' tuple3 call"))
        .replace("<_reconstruct>", RECONSTRUCT)
        .replace("<scalar>", "numpy._core.multiarray:scalar")
        .replace("<_frombuffer>", "numpy._core.numeric:_frombuffer")
        .replace("<8>", r"b'\x00\x00\x00\x00\x00\x00\x00\x00'")
        .replace("<16>", r"b'\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00'")
        .replace("<generator>", "numpy.random._pickle:__bit_generator_ctor")
        .replace("<seed>", "numpy.random.bit_generator:__pyx_unpickle_SeedSequence numpy.random.bit_generator:SeedSequence 5 None tuple3 call")
        .replace("<result>", "collections:deque () call")
}

const RECONSTRUCT: &str = "numpy._core.multiarray:_reconstruct";

/// What picklers write, and what is as harmless.
const ALLOWED: &[&str] = &[
    "numpy.random._pickle:__randomstate_ctor 'MT19937' tuple1 call",
    "numpy.random.bit_generator:__pyx_unpickle_SeedSequence numpy.random.bit_generator:SeedSequence 5 None tuple3 call ( <scalar> <i8> <8> tuple2 call 0 <array> ( 1 1 tuple1 <i8> False <8> tuple build 4 () tuple build",
    "builtins:bytearray b'ab' tuple1 call",
    "builtins:bytearray 'ab' 'latin-1' tuple2 call",
    "builtins:bytes () call",
    "builtins:complex 1.5 1.5 tuple2 call",
    "builtins:frozenset [] 1 append tuple1 call",
    "builtins:object () new",
    "builtins:range 0 9 1 tuple3 call",
    "builtins:set [] tuple1 call",
    "builtins:slice 1 None 'x' tuple3 call",
    "_codecs:encode 'x' 'latin1' tuple2 call",
    "collections:Counter {} 'a' 1 setitem tuple1 call",
    "collections:OrderedDict () call ( 'a' 1 'b' 2 setitems",
    "collections:OrderedDict [] ( [] ( 'a' 1 appends appends tuple1 call",
    "collections:OrderedDict () call {} '_metadata' collections:OrderedDict () call setitem build",
    "collections:defaultdict builtins:list tuple1 call 'a' [] setitem",
    "collections:defaultdict None tuple1 call",
    "collections:deque () call ( 1 2 appends",
    "collections:deque () 9 tuple2 call 1 append",
    "copyreg:_reconstructor builtins:object builtins:object None tuple3 call",
    "copyreg:_reconstructor uuid:UUID builtins:object None tuple3 call {} 'int' 5 setitem build",
    r"datetime:date b'\x07\xea\x01\x1f' tuple1 call",
    r"datetime:datetime b'\x07\xea\x8b\x1f\x17\x3b\x3b\x0f\x42\x3f' tuple1 call",
    r"datetime:datetime b'\x07\xea\x0b\x1f\x17\x3b\x3b\x0f\x42\x3f' datetime:timezone datetime:timedelta 0 3600 0 tuple3 call tuple1 call tuple2 call",
    r"datetime:time b'\x97\x3b\x3b\x0f\x42\x3f' tuple1 call",
    r"datetime:date _codecs:encode 'aa' 'latin1' tuple2 call pop b'\x07\xea\x01\x1f' tuple1 call",
    "decimal:Decimal '1.5' tuple1 call",
    "fractions:Fraction '-1/3' tuple1 call",
    "fractions:Fraction 1 3 tuple2 call",
    "pathlib:PurePosixPath ( '/' 'a' 'b' 'c' tuple call",
    "uuid:UUID () new {} ( 'int' 5 'is_safe' 0 setitems build",
    "array:_array_reconstructor ( array:array 'i' 8 b'aaaa' tuple call",
    "builtins:Ellipsis",
    "builtins:NotImplemented",
    "builtins:ValueError ( 'x' 1 None 1.5 b'a' True tuple call",
    "builtins:OSError 2 'no' '/x' tuple3 call",
    "builtins:KeyError () call",
    "builtins:AttributeError 'x' tuple1 call {} ( 'name' 'a' 'obj' None setitems build",
    "ipaddress:IPv4Address 5 tuple1 call",
    "ipaddress:IPv6Address 5 tuple1 call",
    "ipaddress:IPv6Address '::1%eth0' tuple1 call",
    "ipaddress:IPv4Network '10.0.0.0/8' tuple1 call",
    "ipaddress:IPv6Network '::/0' tuple1 call",
    "ipaddress:IPv4Interface '10.0.0.1/8' tuple1 call",
    "ipaddress:IPv6Interface '::1/8' tuple1 call",
    "pathlib:PosixPath '/' 'a' tuple2 call",
    "pathlib:PureWindowsPath 'c:' 'a' tuple2 call",
    "pathlib:WindowsPath 'c:' 'a' tuple2 call",
    "builtins:getattr zoneinfo:ZoneInfo '_unpickle' tuple2 call 'Etc/GMT+1' 1 tuple2 call",
    r"datetime:datetime b'\x07\xea\x0b\x1f\x17\x3b\x3b\x0f\x42\x3f' zoneinfo:ZoneInfo._unpickle 'Europe/Berlin' True tuple2 call tuple2 call",
    // A memo of getattr, used twice.
    "builtins:getattr put0 zoneinfo:ZoneInfo '_unpickle' tuple2 call pop get0 zoneinfo:ZoneInfo '_unpickle' tuple2 call 'UTC' True tuple2 call",
    "numpy:float64",
    "{} 'dtype' numpy:float64 setitem",
    "<generator> 'PCG64' tuple1 call put5 {} ( 'bit_generator' 'PCG64' 'state' {} ( 'state' 5 'inc' 6 setitems 'has_uint32' 0 'uinteger' 0 setitems build pop numpy.random._pickle:__generator_ctor get5 tuple1 call",
    "numpy.random._pickle:__randomstate_ctor 'MT19937' <generator> tuple2 call {} ( 'bit_generator' 'MT19937' 'state' {} ( 'key' <array> ( 1 2 tuple1 <i4> False <8> tuple build 'pos' 624 setitems 'has_gauss' 0 'gauss' 1.5 setitems build",
    "<generator> numpy.random._mt19937:MT19937 tuple1 call {} ( 'bit_generator' 'MT19937' 'state' {} ( 'key' <array> ( 1 2 tuple1 <i4> False <8> tuple build 'pos' 624 setitems setitems None tuple2 build",
    "<generator> numpy.random._pcg64:PCG64 tuple1 call {} ( 'bit_generator' 'PCG64' 'state' {} ( 'state' 5 'inc' 6 setitems setitems <seed> ( 1 0 <array> ( 1 2 tuple1 <i4> False <8> tuple build 4 () tuple build tuple2 build",
    "<array> ( 1 2 tuple1 <f8> False <16> tuple build",
    "<array> ( 1 2 tuple1 <O> False [] ( 1 None appends tuple build",
    "<array> ( 1 0 3 tuple2 <f8> False builtins:bytes () call tuple build",
    "<array> ( 1 () <i8> False <8> tuple build",
    "<scalar> <f8> <8> tuple2 call",
    "<_frombuffer> ( ba'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00' <f8> 1 tuple1 'C' tuple call",
    "<_frombuffer> ( <16> <f8> 2 1 tuple2 'K' 1 0 tuple2 tuple call",
    "numpy:dtype 'M8' False True tuple3 call ( 4 '<' None None None -1 -1 0 {} ( b'ns' 1 1 1 tuple tuple2 tuple build",
    "numpy:dtype 'V9' False True tuple3 call ( 3 '|' None 'a' 'b' tuple2 {} ( 'a' <O> 0 tuple2 'b' numpy:dtype 'i1' False True tuple3 call 8 tuple2 setitems 9 1 27 tuple build",
    "numpy:dtype 'V12' False True tuple3 call ( 3 '|' None 'a' 'b' tuple2 {} ( 'a' <i4> 0 't' tuple3 put9 't' get9 'b' <f8> 4 tuple2 setitems 12 1 16 tuple build",
    "<_reconstruct> numpy:recarray 0 tuple1 b'b' tuple3 call ( 1 1 tuple1 numpy:dtype numpy:record False True tuple3 call ( 3 '|' None 'a' tuple1 {} 'a' <f8> 0 tuple2 setitem 8 1 16 tuple build False <8> tuple build",
    "numpy:dtype 'V16' False True tuple3 call ( 3 '|' <f8> 2 tuple1 tuple2 None None 16 8 0 tuple build",
];

/// What no pickler writes, and why it would be worth writing to somebody else.
const REFUSED: &[(PickleRule, &str, &str)] = {
    use PickleRule::{
        AfterBuild, CallNotAllowed as Call, CallsAResult, ItemsNotAllowed as Items,
        StateNotAllowed as State,
    };
    &[
        // The first chain: an array of objects over a buffer, read as numbers, is addresses.
        (
            Call,
            "an array over any buffer",
            "numpy:ndarray ( 1 tuple1 'O' ba'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00' 0 tuple call",
        ),
        (Call, "an address as a number", "builtins:int <array> tuple1 call"),
        (
            State,
            "memory at any address",
            "collections:Counter () call {} '__array_interface__' {} setitem build",
        ),
        (
            State,
            "a call of an attribute",
            "collections:Counter () call {} 'append' builtins:set setitem build",
        ),
        (
            Items,
            "a copy of that memory",
            "<array> builtins:slice None None None tuple3 call 1 setitem",
        ),
        // The second: a type of objects for bytes that are in the file.
        (Call, "objects out of bytes", "<_frombuffer> ( <8> <O> 1 tuple1 'C' tuple call"),
        (State, "objects out of bytes", "<array> ( 1 1 tuple1 <O> False <8> tuple build"),
        (
            State,
            "objects without references",
            "numpy:dtype 'O8' False True tuple3 call ( 3 '|' None None None -1 -1 0 tuple build",
        ),
        (
            State,
            "pointers with their bytes turned round",
            "numpy:dtype 'O8' False True tuple3 call ( 3 '>' None None None -1 -1 63 tuple build",
        ),
        (
            State,
            "numbers that are counted as references",
            "numpy:dtype 'i8' False True tuple3 call ( 3 '<' None None None -1 -1 63 tuple build",
        ),
        (
            State,
            "a number over a pointer",
            "numpy:dtype 'V8' False True tuple3 call ( 3 '|' None 'a' 'b' tuple2 {} ( 'a' <O> 0 tuple2 'b' <i8> 0 tuple2 setitems 8 1 27 tuple build",
        ),
        (
            State,
            "a pointer that no flag tells of",
            "numpy:dtype 'V8' False True tuple3 call ( 3 '|' None 'a' tuple1 {} 'a' <O> 0 tuple2 setitem 8 1 16 tuple build",
        ),
        (
            State,
            "a type that is taken for one made after it",
            "numpy:dtype 'V24' False True tuple3 call ( 3 '|' None ( 'a' 'b' 'd' tuple {} ( 'a' numpy:dtype 'V8' False True tuple3 call ( 3 '|' None 'c' tuple1 {} 'c' <O> 0 tuple2 setitem 8 1 27 tuple build 0 tuple2 'b' <f8> 8 tuple2 'd' <f8> 16 tuple2 setitems 24 1 16 tuple build",
        ),
        (
            State,
            "a field outside of its type",
            "numpy:dtype 'V8' False True tuple3 call ( 3 '|' None 'a' tuple1 {} 'a' <i8> 4 tuple2 setitem 8 1 16 tuple build",
        ),
        (
            State,
            "a title of another type",
            "numpy:dtype 'V8' False True tuple3 call ( 3 '|' None 'a' tuple1 {} ( 'a' <i8> 0 tuple2 't' <O> 0 't' tuple3 setitems 8 1 16 tuple build",
        ),
        (
            State,
            "more bytes than there are",
            "numpy:dtype 'S5' False True tuple3 call ( 3 '|' None None None 5000 1 0 tuple build",
        ),
        (
            State,
            "pointers in several elements",
            "numpy:dtype 'V16' False True tuple3 call ( 3 '|' <O> 2 tuple1 tuple2 None None 16 8 0 tuple build",
        ),
        (Call, "a type that all share", "numpy:dtype 'f8' False False tuple3 call"),
        (Call, "a type by a list of fields", "numpy:dtype 'f8,O' False True tuple3 call"),
        (Call, "a type of an object's own", "numpy:dtype <result> False True tuple3 call"),
        (
            Call,
            "any shape at once",
            "<_reconstruct> numpy:ndarray 1099511627776 tuple1 b'b' tuple3 call",
        ),
        (
            Call,
            "an array of objects, not filled",
            "<_reconstruct> numpy:ndarray 0 tuple1 b'O' tuple3 call",
        ),
        (
            Call,
            "an array of no class of arrays",
            "<_reconstruct> collections:Counter 0 tuple1 b'b' tuple3 call",
        ),
        (State, "a list for numbers", "<array> ( 1 1 tuple1 <f8> False [] 1 append tuple build"),
        (
            State,
            "fewer bytes than the shape needs",
            "<array> ( 1 2 tuple1 <f8> False <8> tuple build",
        ),
        (State, "a type that is no type", "<array> ( 1 1 tuple1 <result> False <8> tuple build"),
        (
            AfterBuild,
            "another state",
            "<array> put0 ( 1 1 tuple1 <f8> False <8> tuple build get0 ( 1 1 tuple1 <f8> False <8> tuple build tuple2",
        ),
        (Call, "whatever it is given", "<scalar> <O> collections:Counter tuple2 call"),
        (Call, "what an object gives as its bytes", "<scalar> <f8> <result> tuple2 call"),
        (Call, "a buffer that may change", "<_frombuffer> ( <result> <f8> 1 tuple1 'C' tuple call"),
        (
            Call,
            "fewer bytes than the shape needs",
            "<_frombuffer> ( <8> <f8> 2 tuple1 'C' tuple call",
        ),
        (
            State,
            "a pointer of a size that it has nowhere",
            "numpy:dtype 'V8' False True tuple3 call ( 3 '|' None 'a' 'b' tuple2 {} ( 'a' numpy:dtype 'O4' False True tuple3 call 0 tuple2 'b' <i4> 4 tuple2 setitems 8 1 27 tuple build",
        ),
        (
            AfterBuild,
            "another field, in the dict that the type keeps",
            "numpy:dtype 'V8' False True tuple3 call ( 3 '|' None 'a' tuple1 {} put0 'a' <i8> 0 tuple2 setitem 8 1 16 tuple build get0 'a' <O> 0 tuple2 setitem tuple2",
        ),
        (
            State,
            "a large array for a short list",
            "<array> ( 1 1099511627776 tuple1 <O> False [] 1 append tuple build",
        ),
        (Call, "a matrix over any buffer", "numpy:matrix <result> tuple1 call"),
        (Call, "a matrix over any buffer", "numpy.matrixlib.defmatrix:matrix <result> tuple1 call"),
        (
            Call,
            "a record array over any buffer",
            "numpy:recarray 1 tuple1 'O' ba'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00' tuple3 call",
        ),
        (Call, "a record array over any buffer", "numpy.rec:recarray 1 tuple1 'O' <8> tuple3 call"),
        (Call, "a record of objects", "numpy:record 5 tuple1 call"),
        (Call, "a record of objects", "numpy.rec:record 5 tuple1 call"),
        (Call, "the type of any class", "numpy:dtype collections:Counter False True tuple3 call"),
        (
            State,
            "a field outside of its record",
            "numpy:dtype numpy:record False True tuple3 call ( 3 '|' None 'a' tuple1 {} 'a' <f8> 0 tuple2 setitem 4 1 16 tuple build",
        ),
        // Other entries.
        (Call, "a terabyte", "builtins:bytearray 1099511627776 tuple1 call"),
        (Call, "what an object has as its buffer", "builtins:bytearray <result> tuple1 call"),
        (Call, "a terabyte", "builtins:bytes 1099511627776 tuple1 call"),
        (Call, "the truth of an object", "builtins:bool <result> tuple1 call"),
        (Call, "the value of an object", "builtins:complex <result> 1.5 tuple2 call"),
        (Call, "the value of an object", "builtins:float <result> tuple1 call"),
        (Call, "the items of an object", "builtins:dict <result> tuple1 call"),
        (Call, "the items of an object", "builtins:list <result> tuple1 call"),
        (Call, "the items of an object", "builtins:tuple <result> tuple1 call"),
        (Call, "the items of an object", "builtins:set <result> tuple1 call"),
        (Call, "the items of an object", "builtins:frozenset <result> tuple1 call"),
        (Call, "the text of an object", "builtins:str <result> tuple1 call"),
        (Call, "an argument", "builtins:object 1 tuple1 new"),
        (Call, "the index of an object", "builtins:range <result> 1 1 tuple3 call"),
        (Call, "more arguments than it takes", "builtins:slice ( 1 1 1 1 tuple call"),
        (Call, "a codec that inflates", "_codecs:encode 'x' 'zlib_codec' tuple2 call"),
        (Call, "a module of encodings", "_codecs:encode 'x' 'idna' tuple2 call"),
        (Call, "no text", "_codecs:encode <result> 'latin1' tuple2 call"),
        (Call, "the items of an object", "collections:Counter <result> tuple1 call"),
        (
            State,
            "a method hidden by a value",
            "collections:OrderedDict () call {} 'items' builtins:set setitem build",
        ),
        (Call, "the items of an object", "collections:OrderedDict <result> tuple1 call"),
        (Call, "a factory that a call gave", "collections:defaultdict <result> tuple1 call"),
        (Call, "the items of an object", "collections:deque <result> tuple1 call"),
        (Items, "keys", "collections:deque () call 1 1 setitem"),
        (
            Call,
            "a class that is made by its rule",
            "copyreg:_reconstructor collections:Counter builtins:dict {} tuple3 call",
        ),
        (
            Call,
            "a base that is no plain type",
            "copyreg:_reconstructor builtins:object collections:Counter {} tuple3 call",
        ),
        (
            Call,
            "a state that is an object",
            "copyreg:_reconstructor uuid:UUID builtins:list <result> tuple3 call",
        ),
        (Call, "a day that no table has", r"datetime:date b'\x07\xea\x01\xff' tuple1 call"),
        (
            Call,
            "a year before the first",
            r"datetime:datetime b'\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00' tuple1 call",
        ),
        (
            Call,
            "a zone that is no zone",
            r"datetime:datetime b'\x07\xea\x0b\x1f\x17\x3b\x3b\x0f\x42\x3f' <result> tuple2 call",
        ),
        (Call, "an hour that no day has", r"datetime:time b'\x18\x00\x00\x00\x00\x00' tuple1 call"),
        (Call, "the value of an object", "datetime:timedelta <result> 1 1 tuple3 call"),
        (Call, "no timedelta", "datetime:timezone <result> tuple1 call"),
        (Call, "a tuple to take apart", "decimal:Decimal ( 0 1 tuple1 9 tuple tuple1 call"),
        (
            Call,
            "a number of a thousand million digits",
            "fractions:Fraction '1e1000000000' tuple1 call",
        ),
        (Call, "the ratio of an object", "fractions:Fraction <result> tuple1 call"),
        (Call, "the path of an object", "pathlib:PurePosixPath <result> tuple1 call"),
        (
            State,
            "an attribute that is no number",
            "uuid:UUID () new {} 'int' <result> setitem build",
        ),
        (
            State,
            "an attribute of another name",
            "uuid:UUID () new {} ( 'int' 5 'x' 6 setitems build",
        ),
        (
            State,
            "a dict of which nobody knows what is in it",
            "{} 'int' 5 setitem put0 pop uuid:UUID () new get0 build",
        ),
        (
            Call,
            "another class of arrays",
            "array:_array_reconstructor ( collections:Counter 'i' 8 b'aaaa' tuple call",
        ),
        (Call, "no format", "array:_array_reconstructor ( array:array 'i' 22 b'aaaa' tuple call"),
        (Call, "no letter", "array:_array_reconstructor ( array:array 'O' 8 b'aaaa' tuple call"),
        (Call, "the value of an object", "array:array 'i' [] <result> append tuple2 call"),
        (Call, "a call of what is no class", "builtins:Ellipsis () call"),
        (Call, "a call of what is no class", "builtins:NotImplemented () call"),
        (Call, "an attribute of an object", "builtins:getattr <result> 'x' tuple2 call"),
        (
            Call,
            "an attribute by a name that a call gave",
            "builtins:getattr builtins:str <result> tuple2 call",
        ),
        (
            Call,
            "an attribute of an attribute",
            "builtins:getattr zoneinfo:ZoneInfo '_unpickle.__self__' tuple2 call",
        ),
        (
            Call,
            "an attribute by three arguments",
            "builtins:getattr zoneinfo:ZoneInfo '_unpickle' None tuple3 call",
        ),
        (
            PickleRule::AttributeTakerKept,
            "getattr for a program to call",
            "collections:defaultdict builtins:getattr tuple1 call",
        ),
        (Call, "a zone by a path", "zoneinfo:ZoneInfo._unpickle '../passwd' True tuple2 call"),
        (Call, "a zone by a path", "zoneinfo:ZoneInfo._unpickle '/etc/passwd' True tuple2 call"),
        (Call, "another module", "zoneinfo:ZoneInfo._unpickle 'a.b/c' True tuple2 call"),
        (Call, "a zone by bytes", "zoneinfo:ZoneInfo._unpickle b'UTC' True tuple2 call"),
        (Call, "a zone of a file", "zoneinfo:ZoneInfo 'UTC' tuple1 call"),
        (Call, "the items of an object", "builtins:ValueError <result> tuple1 call"),
        (State, "a traceback", "builtins:ValueError () call {} '__traceback__' None setitem build"),
        (
            State,
            "an object that an exception keeps",
            "builtins:AttributeError () call {} 'obj' <result> setitem build",
        ),
        (Call, "the text of an object", "ipaddress:IPv4Address <result> tuple1 call"),
        (Call, "the text of an object", "ipaddress:IPv6Address <result> tuple1 call"),
        (Call, "the items of an object", "ipaddress:IPv4Network <result> tuple1 call"),
        (Call, "the items of an object", "ipaddress:IPv6Network <result> tuple1 call"),
        (Call, "the items of an object", "ipaddress:IPv4Interface <result> tuple1 call"),
        (Call, "the items of an object", "ipaddress:IPv6Interface <result> tuple1 call"),
        (Call, "the path of an object", "pathlib:PosixPath <result> tuple1 call"),
        (Call, "the path of an object", "pathlib:PureWindowsPath <result> tuple1 call"),
        (Call, "the path of an object", "pathlib:WindowsPath <result> tuple1 call"),
        (Call, "the value of an object", "numpy:float64 <result> tuple1 call"),
        (Call, "another generator", "<generator> 'SFC64' tuple1 call"),
        (Call, "what it calls", "<generator> collections:Counter tuple1 call"),
        (
            State,
            "numbers from behind the key",
            "<generator> 'MT19937' tuple1 call {} ( 'bit_generator' 'MT19937' 'state' {} ( 'key' <array> ( 1 2 tuple1 <i4> False <8> tuple build 'pos' 625 setitems setitems build",
        ),
        (
            State,
            "the index of objects",
            "<generator> 'MT19937' tuple1 call {} ( 'bit_generator' 'MT19937' 'state' {} ( 'key' <array> ( 1 1 tuple1 <O> False [] <result> append tuple build 'pos' 5 setitems setitems build",
        ),
        (
            State,
            "a key that is no array",
            "<generator> 'MT19937' tuple1 call {} ( 'bit_generator' 'MT19937' 'state' {} ( 'key' <result> 'pos' 5 setitems setitems build",
        ),
        (Call, "a seed", "numpy.random._mt19937:MT19937 <result> tuple1 call"),
        (Call, "a seed", "numpy.random._pcg64:PCG64 <result> tuple1 call"),
        (
            Call,
            "what it calls",
            "numpy.random._pickle:__generator_ctor 'PCG64' collections:Counter tuple2 call",
        ),
        (
            Call,
            "what it calls",
            "numpy.random._pickle:__randomstate_ctor 'MT19937' collections:Counter tuple2 call",
        ),
        (
            Call,
            "the items of an object",
            "numpy.random.bit_generator:SeedSequence <result> tuple1 call",
        ),
        (
            Call,
            "another class",
            "numpy.random.bit_generator:__pyx_unpickle_SeedSequence collections:Counter 5 None tuple3 call",
        ),
        (
            State,
            "a pool of another length",
            "<seed> ( 1 0 <array> ( 1 2 tuple1 <i4> False <8> tuple build 9 () tuple build",
        ),
        (State, "a pool that is no array", "<seed> ( 1 0 <result> 4 () tuple build"),
        (Call, "a state by a call", "joblib.numpy_pickle:NumpyArrayWrapper <result> tuple1 call"),
        (Call, "arguments by name", "builtins:set () {} 'a' 1 setitem new_ex"),
        // What a call gave is not called, neither directly nor as an attribute.
        (CallsAResult, "what a call gave", "builtins:set () call () call"),
        (
            AfterBuild,
            "an attribute that APPEND calls",
            "uuid:UUID () new put0 {} 'int' 5 setitem build get0 1 append tuple2",
        ),
    ]
};

#[test]
fn what_picklers_write_of_each_entry_is_allowed() {
    for text in ALLOWED {
        let report = judge(&expand(text), &both());
        assert_eq!(report.verdict(), Ok(()), "{text}: {report:?}");
        assert!(report.complete);
    }
}

#[test]
fn what_no_pickler_writes_is_refused_by_its_rule() {
    for (rule, what, text) in REFUSED {
        let report = judge(&expand(text), &both());
        let found: Vec<_> = report.refusals.iter().map(|refusal| refusal.rule).collect();
        assert_eq!(found.first(), Some(rule), "{what}: {text}: {report:?}");
        assert!(report.imports.iter().all(|import| import.refusal.is_none()), "{text}");
    }
}

/// Every name of the lists is refused for something, and the page says what each may do.
#[test]
fn each_entry_has_a_case_and_is_documented() {
    let cases: Vec<_> = REFUSED.iter().map(|case| expand(case.2)).collect();
    // These are other modules of the same entries.
    let other = [
        "__builtin__",
        "copy_reg",
        "numpy.core.multiarray",
        "exceptions",
        "joblib",
        "numpy.core.numeric",
        "pathlib._local",
    ];
    // Exceptions have one rule, and so have the types of scalars.
    let is_alike = |module: &str, name: &str| match module {
        "builtins" => AllowList::std().allows("exceptions", name),
        "numpy" => !["dtype", "ndarray"].contains(&name),
        _ => false,
    };
    for (module, name) in both().iter().filter(|(module, _)| !other.contains(module)) {
        let pair = format!("{module}:{name}");
        let refused = cases.iter().any(|case| case.split_whitespace().any(|word| word == pair));
        assert!(refused || is_alike(module, name), "{pair}");
        // None of them takes just any object.
        let report = judge(&expand(&format!("{pair} <result> tuple1 call")), &both());
        let first = report.refusals.first().map(|refusal| refusal.rule);
        assert_eq!(first, Some(PickleRule::CallNotAllowed), "{pair}");
    }
}

/// A rule holds for a name wherever it is listed, until somebody lifts it in so many words.
#[test]
fn a_rule_holds_in_every_list_and_is_lifted_by_a_word() {
    let text = "builtins:str 5 tuple1 call";
    let by = |list: &str| judge(text, &AllowList::parse(list).unwrap());
    let refused = by("builtins:str").verdict().unwrap_err();
    assert_eq!(refused.rule, PickleRule::CallNotAllowed);
    assert_eq!(by("builtins:str any").verdict(), Ok(()));
    assert_eq!(by("builtins:str any\nbuiltins:str").verdict(), Ok(()));
    let mut both = AllowList::std();
    both.extend(AllowList::parse("builtins:str any").unwrap());
    assert_eq!(judge(text, &both).verdict(), Ok(()));
    assert!(AllowList::parse("builtins:strany").unwrap().allows("builtins", "strany"));
    let report = by("builtins:str");
    assert_eq!(
        report.explain(&refused),
        "calls builtins:str with arguments that its rule does not allow"
    );
}

/// Somebody's own names have no rule, and three bounds all the same.
#[test]
fn objects_of_names_without_a_rule_are_bounded_too() {
    let own =
        AllowList::parse("shop:Order\nshop:same\nshop:__pyx_unpickle_Order\nshop:make").unwrap();
    let mut list = AllowList::std();
    list.extend(own);
    for text in [
        "shop:Order () new {} 'total' 5 setitem build",
        "shop:Order () new put0 pop [] get0 append get0 {} 'append' 5 setitem build tuple2",
        "shop:Order () new ( 1 2 appends 1 2 setitem {} build",
        "shop:same shop:Order tuple1 call",
        "shop:same shop:Order tuple1 call 1 tuple1 build",
        "shop:same builtins:list tuple1 call {} 'a' 1 setitem build",
        "shop:__pyx_unpickle_Order shop:Order 5 None tuple3 call {} 'a' 1 setitem build",
        "shop:make 5 tuple1 call {} 'a' 1 setitem build",
        "shop:make shop:Order () new {} 'a' 1 setitem build tuple1 call {} 'a' 1 setitem build",
        "shop:Order shop:Order tuple1 new {} 'a' 1 setitem build",
        "{} ( 'add' 5 'append' None 'extend' [] setitems",
        "shop:Order () new {} 'kind' shop:Order setitem build",
        "copyreg:_reconstructor shop:Order builtins:object None tuple3 call {} 'a' 1 setitem build",
        "copyreg:_reconstructor shop:Order builtins:dict {} tuple3 call {} 'a' 1 setitem build",
    ] {
        let report = judge(text, &list);
        assert_eq!(report.verdict(), Ok(()), "{text}: {report:?}");
    }
    for (rule, text) in [
        (PickleRule::AfterBuild, "shop:Order () new {} build 1 append"),
        (PickleRule::AfterBuild, "shop:Order () new {} build ( 1 appends"),
        (PickleRule::AfterBuild, "shop:Order () new {} build 1 2 setitem"),
        (PickleRule::AfterBuild, "shop:Order () new {} build ( 1 2 setitems"),
        (PickleRule::AfterBuild, "shop:Order () new {} build ( 1 additems"),
        (PickleRule::AfterBuild, "shop:Order () new {} build {} build"),
        // By the memo, by a copy on the stack, and from inside a container.
        (PickleRule::AfterBuild, "shop:Order () new put0 {} build pop get0 1 append"),
        (PickleRule::AfterBuild, "shop:Order () new dup {} build pop 1 append"),
        (PickleRule::AfterBuild, "[] shop:Order () new put0 {} build append pop get0 {} build"),
        (PickleRule::SetsAMethod, "shop:Order () new {} 'append' shop:make setitem build"),
        (
            PickleRule::SetsAMethod,
            "shop:Order () new {} '__setstate__' shop:make () call setitem build",
        ),
        (PickleRule::SetsAMethod, "shop:Order () new None {} 'add' shop:make setitem tuple2 build"),
        (
            PickleRule::SetsAMethod,
            "shop:Order () new {} builtins:bytes () call shop:make setitem build",
        ),
        (
            PickleRule::SetsAMethod,
            "shop:Order () new None {} '__dict__' {} 'append' shop:make setitem setitem tuple2 build",
        ),
        // What a function gives back may be what it was given.
        (PickleRule::ChangesAGlobal, "shop:same shop:Order tuple1 call {} 'a' 1 setitem build"),
        (PickleRule::ChangesAGlobal, "shop:same shop:Order tuple1 call put0 pop get0 1 append"),
        (
            PickleRule::ChangesAGlobal,
            "shop:same [] shop:Order append tuple1 call {} 'a' 1 setitem build",
        ),
        (PickleRule::ChangesAGlobal, "( shop:same shop:Order obj {} 'a' 1 setitem build"),
        (
            PickleRule::ChangesAGlobal,
            "[] put0 tuple1 put1 pop get0 shop:Order append pop shop:same get1 tuple1 call {} build",
        ),
        (
            PickleRule::ChangesAGlobal,
            "shop:same shop:same shop:Order tuple1 call tuple1 call {} build",
        ),
        (
            PickleRule::AfterBuild,
            "shop:same shop:Order () new shop:make () call build tuple1 call 1 append",
        ),
    ] {
        let report = judge(text, &list);
        assert_eq!(
            report.verdict().map_err(|refusal| refusal.rule),
            Err(rule),
            "{text}: {report:?}"
        );
    }
}

/// A place in the memo that nobody reads changes nothing, and neither does a value that is dropped at once.
#[test]
fn what_is_known_does_not_depend_on_the_memo() {
    let list = both();
    let cases = ALLOWED.iter().copied().chain(REFUSED.iter().map(|case| case.2));
    let first = |text: &str| judge(text, &list).verdict().map_err(|refusal| refusal.rule);
    for text in cases {
        let text = expand(text);
        let words: Vec<_> = text.split_whitespace().collect();
        let expected = first(&text);
        for place in 1..=words.len() {
            for more in ["put7", "<f8> pop", "{} 'x' <f8> setitem pop", "[] put7 pop get7 pop"] {
                let (before, after) = words.split_at(place);
                let (before, after) = (before.join(" "), after.join(" "));
                let found = first(&expand(&format!("{before} {more} {after}")));
                // The topmost value can lie below a mark, and the index be too large so early.
                let places = [PickleRule::MemoIndex, PickleRule::StackUnderflow];
                let possible = found.is_ok() || places.iter().all(|rule| found != Err(*rule));
                assert!(found == expected || !possible, "{before} {more} {after}: {found:?}");
            }
        }
    }
}

/// The memo and the containers tell of the same object, however far it has gone.
#[test]
fn values_are_known_through_the_memo() {
    for text in [
        "'f8' put0 pop numpy:dtype get0 False True tuple3 call",
        "0 tuple1 put0 pop <_reconstruct> numpy:ndarray get0 b'b' tuple3 call",
        "( <array> put0 ( 1 1 tuple1 <f8> put1 False <8> put2 tuple build <scalar> get1 get2 tuple2 call tuple",
    ] {
        let report = judge(&expand(text), &both());
        assert_eq!(report.verdict(), Ok(()), "{text}: {report:?}");
    }
    // A type that is built later is another type than the one that was judged.
    let text = "numpy:dtype 'V8' False True tuple3 call put0 <array> ( 1 1 tuple1 get0 False <8> tuple build pop \
                ( 3 '|' None 'a' tuple1 {} 'a' <O> 0 tuple2 setitem 8 1 27 tuple build";
    let report = judge(&expand(text), &both());
    assert!(report.verdict().is_err(), "{report:?}");
}

/// A rule sees the values that the loader gets, whatever was dropped from the stack in between: here a field that
/// only a dict in the memo holds, while other objects are made.
#[test]
fn what_a_container_holds_is_known_after_others_are_dropped() {
    let ways = [
        "[] get1 'a' FIELD setitem pop pop",
        "[] get1 ( 'a' FIELD setitems pop pop",
        "( [] get1 'a' FIELD setitem pop pop tuple pop",
        "() [] tuple1 get1 'a' FIELD setitem pop pop pop",
        "[] dup get1 'a' FIELD setitem pop pop pop",
        "[] put5 get1 'a' FIELD setitem pop pop",
        "[] [] get1 'a' FIELD setitem pop append pop",
        "[] collections:deque () call get1 'a' FIELD setitem pop append pop",
        "get1 'a' FIELD setitem pop",
    ];
    let noise = ["", "[] OTHER put2 pop pop", "[] OTHER pop pop", "OTHER pop [] OTHER append pop"];
    let verdict = |before: &str, dropped: &str, (field, other): (&str, &str), flags: u8| {
        let text = format!(
            "numpy:dtype 'V8' False True tuple3 call {{}} put1 pop {before} {dropped} \
             ( 3 '|' None 'a' tuple1 get1 8 1 {flags} tuple build"
        );
        let text = text.replace("FIELD", &format!("{field} 0 tuple2"));
        let text = expand(&text.replace("OTHER", &format!("{other} 0 tuple2")));
        judge(&text, &both()).verdict().map_err(|refusal| refusal.rule)
    };
    for way in ways {
        for dropped in noise {
            let found = |fields, flags| verdict(way, dropped, fields, flags);
            assert_eq!(found(("<O>", "<f8>"), 27), Ok(()), "{way} {dropped}");
            assert_eq!(found(("<f8>", "<O>"), 16), Ok(()), "{way} {dropped}");
            let refused = Err(PickleRule::StateNotAllowed);
            assert_eq!(found(("<O>", "<f8>"), 16), refused, "{way} {dropped}");
            assert_eq!(found(("<f8>", "<O>"), 27), refused, "{way} {dropped}");
        }
    }
    // One memo for several pickles changes nothing. What comes from the pickle before is refused by its rule.
    let pickle = |flags: u8| {
        assemble(&expand(&format!(
            "numpy:dtype 'V8' False True tuple3 call put0 {{}} put1 pop pop [] get0 get1 'a' <O> 0 tuple2 setitem \
             pop pop pop [] <f8> 0 tuple2 put2 pop pop get0 ( 3 '|' None 'a' tuple1 get1 8 1 {flags} tuple build"
        )))
    };
    let many = |pickles: &[Vec<u8>]| {
        let list = both();
        let options = ScanOptions { many: true, ..ScanOptions::new(&list) };
        scan(&pickles.concat(), &options).verdict().map_err(|refusal| refusal.rule)
    };
    assert_eq!(many(&[assemble("5"), assemble("[] [] append")]), Ok(()));
    for (first, second) in [(27, 16), (16, 27), (16, 16)] {
        let refused = Err(PickleRule::StateNotAllowed);
        assert_eq!(many(&[pickle(first), pickle(second)]), refused);
    }
    assert_eq!(many(&[assemble("[] put1"), assemble("get1")]), Err(PickleRule::MemoMissing));
}

/// A text is no other sort of string, though the letters are the same.
#[test]
fn a_name_and_a_key_are_texts_of_one_sort() {
    let names = ["'x'", "b'x'", "s'x'", "_codecs:encode 'x' 'latin1' tuple2 call", "ba'x'"];
    let titles = names.map(|name| name.replace("'x'", "'t'"));
    for (place, name) in names.iter().enumerate() {
        for (other, key) in names.iter().enumerate() {
            for title in [None, Some(0), Some(1), Some(2), Some(3), Some(4)] {
                let word = title.and_then(|title: usize| titles.get(title));
                let (field, more) = word.map_or_else(
                    || ("<i8> 0 tuple2".to_owned(), String::new()),
                    |word| (format!("<i8> 0 {word} tuple3 put9"), format!("{word} get9")),
                );
                let text = format!(
                    "numpy:dtype 'V8' False True tuple3 call ( 3 '|' None {name} tuple1 \
                     {{}} ( {key} {field} {more} setitems 8 1 16 tuple build"
                );
                let report = judge(&expand(&text), &both());
                let same = place == other && [0, 2].contains(&place);
                let alike = same && title.is_none_or(|title| title == place);
                let expected = if alike { Ok(()) } else { Err(PickleRule::StateNotAllowed) };
                let found = report.verdict().map_err(|refusal| refusal.rule);
                assert_eq!(found, expected, "{text}");
            }
        }
    }
    for (rule, text) in [
        (PickleRule::StateNotAllowed, "uuid:UUID () new {} b'int' 5 setitem build"),
        (
            PickleRule::StateNotAllowed,
            "collections:OrderedDict () call {} b'_metadata' {} setitem build",
        ),
        (
            PickleRule::StateNotAllowed,
            "<generator> 'PCG64' tuple1 call {} b'bit_generator' 'PCG64' setitem build",
        ),
        (PickleRule::CallNotAllowed, "zoneinfo:ZoneInfo._unpickle s'UTC' True tuple2 call"),
        (PickleRule::CallNotAllowed, "fractions:Fraction b'1/3' tuple1 call"),
    ] {
        let found = judge(&expand(text), &both()).verdict().map_err(|refusal| refusal.rule);
        assert_eq!(found, Err(rule), "{text}");
    }
}

/// For the fields that are no objects, NumPy asks the items of a list for numbers, texts and buffers.
#[test]
fn an_array_of_objects_and_more_takes_rows_of_literals_only() {
    let two = |other: &str, size: usize| {
        format!(
            "numpy:dtype 'V{size}' False True tuple3 call ( 3 '|' None 'o' 's' tuple2 {{}} ( 'o' <O> 0 tuple2 \
             's' {other} 8 tuple2 setitems {size} 1 27 tuple build"
        )
    };
    let several = "numpy:dtype 'V16' False True tuple3 call ( 3 '|' <O> 2 tuple1 tuple2 None None 16 1 63 tuple build";
    let text = "numpy:dtype 'S8' False True tuple3 call ( 3 '|' None None None 8 1 0 tuple build";
    let objects = [two("<O>", 16), two(&two("<O>", 16), 24), "<O>".to_owned()];
    let mixed = [
        two(text, 16),
        two("<i8>", 16),
        two("<U2>", 16),
        two(&two(text, 16), 24),
        two(several, 24),
    ];
    let literal = ["None 'x' tuple2", "'x'", "()", "1.5 1 tuple2", "( 1 2 3 tuple"];
    let others = [
        "None <result> tuple2",
        "<result>",
        "None [] tuple2",
        "None None None tuple2 tuple2",
        "None builtins:slice ( 1 2 3 tuple call tuple2",
        "None collections:deque tuple2",
        "[]",
        "{}",
        "None () tuple2",
    ];
    let ways = [
        "[] ITEM append",
        "[] ( None ITEM appends pop [] ITEM append",
        "[] put7 ITEM put8 append pop get7",
        "( ITEM list",
    ];
    let judge_one = |dtype: &str, way: &str, item: &str| {
        let list = way.replace("ITEM", item);
        let text = format!("<array> ( 1 1 tuple1 {dtype} False {list} tuple build");
        judge(&expand(&text), &both()).verdict().map_err(|refusal| refusal.rule)
    };
    for way in ways {
        for item in literal.iter().chain(&others) {
            for dtype in &objects {
                assert_eq!(judge_one(dtype, way, item), Ok(()), "{dtype} {way} {item}");
            }
        }
        for dtype in &mixed {
            for item in literal {
                assert_eq!(judge_one(dtype, way, item), Ok(()), "{dtype} {way} {item}");
            }
            for item in others {
                let refused = Err(PickleRule::StateNotAllowed);
                assert_eq!(judge_one(dtype, way, item), refused, "{dtype} {way} {item}");
            }
        }
    }
}

/// An attribute that getattr takes is an import of its own, which must be on the list.
#[test]
fn getattr_imports_the_attribute_of_a_listed_name() {
    let mut list = AllowList::std();
    list.extend(AllowList::parse("shop:Color\nshop:Color.RED").unwrap());
    let red = "builtins:getattr shop:Color 'RED' tuple2 call";
    let report = judge(red, &list);
    assert_eq!(report.verdict(), Ok(()), "{report:?}");
    let names: Vec<_> = report.imports.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["builtins:getattr", "shop:Color", "shop:Color.RED"]);
    assert_eq!(report.imports[2].how.name(), "getattr");
    for (text, name) in [
        ("builtins:getattr shop:Color 'mro' tuple2 call", "shop:Color.mro"),
        ("builtins:getattr os:path 'os' tuple2 call", "os:path"),
        (
            "builtins:getattr builtins:str '__subclasses__' tuple2 call () call",
            "builtins:str.__subclasses__",
        ),
    ] {
        let report = judge(text, &list);
        let refusal = report.verdict().unwrap_err();
        assert_eq!(refusal.rule, PickleRule::ImportNotAllowed, "{text}");
        assert!(report.explain(&refusal).starts_with(&format!("imports {name},")), "{text}");
    }
    // In Python 2's names, both must be listed.
    let old = b"\x80\x02c__builtin__\ngetattr\ncshop\nColor\nX\x03\0\0\0RED\x86R.";
    assert_eq!(scan(old, &ScanOptions::new(&list)).verdict(), Ok(()));
    // The result is a name like others: it takes no state, and may be called.
    let changed = judge(&format!("{red} {{}} build"), &list).verdict().unwrap_err();
    assert_eq!(changed.rule, PickleRule::ChangesAGlobal);
    assert_eq!(judge(&format!("{red} 5 tuple1 call"), &list).verdict(), Ok(()));
}

/// The bytes of joblib's arrays are passed over, so they must be where every other loader stops.
#[test]
fn the_bytes_of_an_array_of_joblib_are_passed_over_and_nothing_else_is() {
    const ALL: &str = "'subclass' numpy:ndarray 'shape' 2 tuple1 'order' 'C' 'dtype' <i4> 'allow_mmap' True 'numpy_array_alignment_bytes' 16";
    let wrapper = |attributes: &str| {
        let text = format!(
            "joblib.numpy_pickle:NumpyArrayWrapper () new {{}} ( {attributes} setitems build"
        );
        let mut bytes = assemble(&expand(&text));
        bytes.pop();
        bytes
    };
    let judge = |parts: &[&[u8]]| {
        let report = scan(&parts.concat(), &ScanOptions::new(&both()));
        report.verdict().map_err(|refusal| refusal.rule)
    };
    let good = wrapper(ALL);
    // What looks like a pickle in the array is not one: no other loader gets there.
    let array = b"\x02\xff\xffcos\nxy\n0";
    assert_eq!(judge(&[&good, array, b"."]), Ok(()));
    assert_eq!(judge(&[&good, array, b"0cos\ngetpid\n."]), Err(PickleRule::ImportNotAllowed));
    for (rule, bytes) in [
        // The length of the padding is no opcode.
        (PickleRule::RawArrayForm, &b"\0cos\nx\n0."[..]),
        (PickleRule::RawArrayForm, b"\x1100000000000000000cos\nx\n0."),
        (PickleRule::RawArrayForm, b"N000000000000000000000000000000000000000000000000000000000000000000000000000000cos\nx\n0."),
        (PickleRule::RawArrayForm, b"."),
        (PickleRule::Truncated, b"\x02\xff\xff1234567"),
        (PickleRule::Truncated, b"\x02\xff\xff12345678"),
        (PickleRule::Truncated, b""),
    ] {
        assert_eq!(judge(&[&good, bytes]), Err(rule), "{}", bytes.escape_ascii());
    }
    // joblib before 1.2 takes the padding for the beginning of the array, and the end of the array for opcodes.
    for (last, allowed) in [
        (&b"\xff34"[..], true),
        (b"N\xff4", true),
        (b"R34", false),
        (b"c34", false),
        (b"N.4", false),
        (b".34", false),
        (b"b34", false),
        (b"(R4", false),
        (b"h\x004", false),
    ] {
        let expected = if allowed { Ok(()) } else { Err(PickleRule::RawArrayReadings) };
        let bytes = [&b"\x02\xff\xff12345"[..], last].concat();
        assert_eq!(judge(&[&good, &bytes, b"."]), expected, "{}", bytes.escape_ascii());
    }
    let framed = [&b"\x80\x04\x95"[..], &(good.len() as u64 - 1).to_le_bytes(), &good[2..], b"0"];
    assert_eq!(judge(&[&framed.concat(), array, b"."]), Err(PickleRule::FrameStraddled));
    for (from, to) in [
        ("'order' 'C'", "'order' 'C' 'order' 'C'"),
        ("'order' 'C'", "'order' 'A'"),
        ("'order' 'C'", "'other' 'C'"),
        ("'allow_mmap' True", ""),
        ("'numpy_array_alignment_bytes' 16", ""),
        ("'numpy_array_alignment_bytes' 16", "'numpy_array_alignment_bytes' None"),
        ("numpy:ndarray", "collections:Counter"),
        ("'shape' 2 tuple1", "'shape' 2 tuple1 'shape' 3 tuple1"),
        ("'shape' 2 tuple1", "'shape' -2 tuple1"),
        ("'shape' 2 tuple1", "'shape' <result>"),
        ("'shape' 2 tuple1", "'shape' 4294967296 4294967296 tuple2"),
        ("<i4>", "<O>"),
        ("<i4>", "<result>"),
        ("<i4>", "'i4'"),
    ] {
        assert!(ALL.contains(from));
        let changed = wrapper(&ALL.replace(from, to));
        assert_eq!(
            judge(&[&changed, array, b"."]),
            Err(PickleRule::StateNotAllowed),
            "{from} {to}"
        );
    }
}

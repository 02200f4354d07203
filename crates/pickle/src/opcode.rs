//! The opcodes of protocols 0 to 5, and the operand of each.

/// The bytes that follow an opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// A count in this many bytes (1, 4 or 8), and as many bytes as it says.
    Counted(usize),
    /// A signed count in 4 bytes, and as many bytes as it says.
    CountedSigned,
    /// This many bytes.
    Fixed(usize),
    /// A line.
    Line,
    /// Two lines.
    Lines,
}

macro_rules! opcodes {
    ($($byte:literal $opcode:ident $operand:expr;)*) => {
        /// An instruction of a pickle.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Opcode { $($opcode),* }

        impl Opcode {
            /// Returns the opcode that a byte stands for.
            pub(super) const fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($byte => Some(Self::$opcode),)*
                    _ => None,
                }
            }

            /// Returns its operand.
            pub(super) const fn operand(self) -> Operand {
                match self {
                    $(Self::$opcode => $operand,)*
                }
            }
        }

        #[cfg(test)]
        const ALL: &[u8] = &[$($byte),*];
    };
}

use Operand::{Counted, CountedSigned, Fixed, Line, Lines};

// In the order of CPython's Lib/pickletools.py, which describes each.
opcodes! {
    b'I' Int Line;
    b'J' BinInt Fixed(4);
    b'K' BinInt1 Fixed(1);
    b'M' BinInt2 Fixed(2);
    b'L' Long Line;
    0x8a Long1 Counted(1);
    0x8b Long4 CountedSigned;
    b'S' String Line;
    b'T' BinString CountedSigned;
    b'U' ShortBinString Counted(1);
    b'B' BinBytes Counted(4);
    b'C' ShortBinBytes Counted(1);
    0x8e BinBytes8 Counted(8);
    0x96 ByteArray8 Counted(8);
    0x97 NextBuffer Fixed(0);
    0x98 ReadonlyBuffer Fixed(0);
    b'N' None Fixed(0);
    0x88 NewTrue Fixed(0);
    0x89 NewFalse Fixed(0);
    b'V' Unicode Line;
    0x8c ShortBinUnicode Counted(1);
    b'X' BinUnicode Counted(4);
    0x8d BinUnicode8 Counted(8);
    b'F' Float Line;
    b'G' BinFloat Fixed(8);
    b']' EmptyList Fixed(0);
    b'a' Append Fixed(0);
    b'e' Appends Fixed(0);
    b'l' List Fixed(0);
    b')' EmptyTuple Fixed(0);
    b't' Tuple Fixed(0);
    0x85 Tuple1 Fixed(0);
    0x86 Tuple2 Fixed(0);
    0x87 Tuple3 Fixed(0);
    b'}' EmptyDict Fixed(0);
    b'd' Dict Fixed(0);
    b's' SetItem Fixed(0);
    b'u' SetItems Fixed(0);
    0x8f EmptySet Fixed(0);
    0x90 AddItems Fixed(0);
    0x91 FrozenSet Fixed(0);
    b'0' Pop Fixed(0);
    b'2' Dup Fixed(0);
    b'(' Mark Fixed(0);
    b'1' PopMark Fixed(0);
    b'g' Get Line;
    b'h' BinGet Fixed(1);
    b'j' LongBinGet Fixed(4);
    b'p' Put Line;
    b'q' BinPut Fixed(1);
    b'r' LongBinPut Fixed(4);
    0x94 Memoize Fixed(0);
    0x82 Ext1 Fixed(1);
    0x83 Ext2 Fixed(2);
    0x84 Ext4 Fixed(4);
    b'c' Global Lines;
    0x93 StackGlobal Fixed(0);
    b'R' Reduce Fixed(0);
    b'b' Build Fixed(0);
    b'i' Inst Lines;
    b'o' Obj Fixed(0);
    0x81 NewObj Fixed(0);
    0x92 NewObjEx Fixed(0);
    0x80 Proto Fixed(1);
    b'.' Stop Fixed(0);
    0x95 Frame Fixed(8);
    b'P' PersId Line;
    b'Q' BinPersId Fixed(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// joblib writes the length of its padding, from 1 to 16, where other loaders look for an opcode.
    #[test]
    fn no_opcode_is_a_length_of_padding() {
        assert!((1..=16).all(|byte| Opcode::from_byte(byte).is_none()));
    }

    /// CPython has had 68 since protocol 5.
    #[test]
    fn every_opcode_is_known_and_no_other_byte() {
        assert_eq!(ALL.len(), 68);
        let known = (0..=u8::MAX).filter(|byte| Opcode::from_byte(*byte).is_some()).count();
        assert_eq!(known, ALL.len());
    }
}

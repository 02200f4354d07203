//! The states of NumPy's random numbers.
//!
//! The generators are written in C, and believe their state: a position behind the end of the key reads memory.

use crate::entry::{Entry, Kind};
use crate::facts::Facts;
use crate::machine::Value;
use crate::scene::Scene;
use crate::shape::Shape;

/// More of the list `numpy`.
pub(crate) const RANDOM: &[Entry] = &[
    Entry::named(
        &[("numpy.random._mt19937", "MT19937")],
        "__bit_generator_ctor names it. A call would seed it with any object.",
    ),
    Entry::named(
        &[("numpy.random._pcg64", "PCG64")],
        "__bit_generator_ctor names it. A call would seed it with any object.",
    ),
    Entry::named(
        &[MAKER],
        "It makes a generator of two sorts. Its state has numbers only, and a position within the key. The \
         generator checks that the state is of its own sort.",
    )
    .called(&[Shape::Tuple(&[Shape::OneOf(&[
        SORT,
        Shape::Named(&[("numpy.random._mt19937", "MT19937"), ("numpy.random._pcg64", "PCG64")]),
    ])])])
    .makes(Kind::BitGenerator)
    .state(Shape::OneOf(&[
        GENERATOR_STATE,
        Shape::Tuple(&[GENERATOR_STATE, Shape::OneOf(&[Shape::None, Shape::Made(Kind::SeedSequence)])]),
    ]))
    .drops_arguments(),
    Entry::named(
        &[("numpy.random._pickle", "__generator_ctor")],
        "It makes random numbers of a generator that its rule made. In NumPy 1 it calls the maker that it is given.",
    )
    .called(&[Shape::Tuple(&[Shape::Made(Kind::BitGenerator)]), BY_NAME])
    .state(GENERATOR_STATE)
    .drops_arguments(),
    Entry::named(
        &[("numpy.random._pickle", "__randomstate_ctor")],
        "It makes random numbers of a generator that its rule made. In NumPy 1 it calls the maker that it is given.",
    )
    .called(&[Shape::Tuple(&[Shape::Made(Kind::BitGenerator)]), BY_NAME])
    .state(GENERATOR_STATE)
    .drops_arguments(),
    Entry::named(
        &[("numpy.random.bit_generator", "SeedSequence")],
        "__pyx_unpickle_SeedSequence names it. A call would iterate over any object.",
    ),
    Entry::named(
        &[("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence")],
        "It makes an object without a state, which then keeps numbers and an array of numbers.",
    )
    .called(&[Shape::Tuple(&[
        Shape::Named(&[("numpy.random.bit_generator", "SeedSequence")]),
        Shape::Integer,
        Shape::None,
    ])])
    .makes(Kind::SeedSequence)
    .state(Shape::Tuple(&[
        Shape::OneOf(&[SEED, Shape::None]),
        Shape::IntegerIn(0, MAX_CHILDREN),
        NUMBERS,
        Shape::IntegerIn(POOL_WORDS, POOL_WORDS),
        Shape::TupleOf(&SEED),
    ]))
    .drops_arguments(),
];

const MAKER: (&str, &str) = ("numpy.random._pickle", "__bit_generator_ctor");

const SORT: Shape = Shape::Word(&["MT19937", "PCG64"]);

/// NumPy 1 names the generator, and from version 1.24 on also the function that makes it.
const BY_NAME: Shape =
    Shape::OneOf(&[Shape::Tuple(&[SORT]), Shape::Tuple(&[SORT, Shape::Named(&[MAKER])])]);

/// What a SeedSequence is seeded with. It keeps it, and looks at it when it is asked for numbers.
const SEED: Shape = Shape::OneOf(&[Shape::Integer, Shape::Made(Kind::Scalar)]);

/// The state of either sort, and what RandomState adds.
const GENERATOR_STATE: Shape = Shape::DictOf(&[
    ("bit_generator", SORT),
    (
        "state",
        Shape::OneOf(&[
            Shape::DictOf(&[("key", NUMBERS), ("pos", Shape::IntegerIn(0, KEY_WORDS))]),
            Shape::DictOf(&[("state", Shape::Integer), ("inc", Shape::Integer)]),
        ]),
    ),
    ("has_gauss", Shape::IntegerIn(0, 1)),
    ("gauss", Shape::Float),
    ("has_uint32", Shape::IntegerIn(0, 1)),
    ("uinteger", Shape::IntegerIn(0, 0xffff_ffff)),
]);

/// An array of a type without objects. The generator converts each of its elements.
const NUMBERS: Shape = Shape::Passes(is_numbers);

fn is_numbers(scene: &Scene<'_, '_>, value: Value) -> bool {
    matches!(scene.facts(value), Facts::Numbers | Facts::RawArray { .. })
}

/// How many words the key of MT19937 has, and the pool of a SeedSequence.
const KEY_WORDS: i64 = 624;
const POOL_WORDS: i64 = 4;

const MAX_CHILDREN: i64 = 0xffff_ffff;

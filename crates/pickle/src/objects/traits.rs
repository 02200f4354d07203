//! What is known of an object besides its sort.

use crate::MAX_NESTING;

/// What is known of an object besides its sort: a set of [`Traits`] constants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traits(u16);

impl Traits {
    pub(crate) const NONE: Self = Self(0);
    /// It has its state, and takes no more.
    pub(crate) const BUILT: Self = Self(1);
    /// It is not empty.
    pub(crate) const FILLED: Self = Self(1 << 1);
    /// It holds a name whose attributes can be set, at any depth.
    pub(crate) const HOLDS_GLOBAL: Self = Self(1 << 2);
    /// It is or holds an object whose state may have given it a method, at any depth.
    pub(crate) const HOLDS_METHOD: Self = Self(1 << 3);
    /// It is inside another object.
    pub(crate) const INSIDE: Self = Self(1 << 4);
    /// It may be an import that was handed to a function.
    pub(crate) const MAY_BE_GLOBAL: Self = Self(1 << 5);
    /// It may be an object with a method that was handed to a function.
    pub(crate) const MAY_HAVE_METHOD: Self = Self(1 << 6);
    /// It has a key by which the loader would call the value, if it were the state of an object.
    pub(crate) const NAMES_METHOD: Self = Self(1 << 7);
    /// It is a tuple with something that is no literal, or a container with something that is neither a literal
    /// nor a tuple of literals.
    pub(crate) const BEYOND_ROWS: Self = Self(1 << 8);

    /// What objects around an object share with it.
    pub(crate) const SHARED: Self = Self::HOLDS_GLOBAL.and(Self::HOLDS_METHOD);

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn only(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// How many levels of values nest in a value, itself included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Depth(u16);

impl Depth {
    /// The depth of an empty container.
    pub(crate) const EMPTY: Self = Self(1);

    /// Returns the depth of a container that holds something of this depth.
    pub(crate) const fn around(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns how many levels it has more than another.
    pub(crate) const fn beyond(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Returns the depth of both, one below the other.
    pub(crate) const fn below(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Returns whether it is over [`MAX_NESTING`].
    pub(crate) const fn is_too_deep(self) -> bool {
        self.0 > MAX_NESTING
    }
}

//! The scripts that the server runs, each in one piece.

use std::sync::LazyLock;

use redis::{Script, ScriptInvocation};

/// What all scripts of a queue begin with.
const PRELUDE: &str = include_str!("lua/prelude.lua");

/// A script that begins with the [`PRELUDE`].
macro_rules! of_queue {
    ($name:ident, $file:literal) => {
        pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(&[PRELUDE, include_str!($file)].concat()));
    };
}

of_queue!(ANSWER, "lua/answer.lua");
of_queue!(BURY, "lua/bury.lua");
of_queue!(LETTERS, "lua/letters.lua");
of_queue!(LIFETIME, "lua/lifetime.lua");
of_queue!(PUBLISH, "lua/publish.lua");
of_queue!(RECEIVE, "lua/receive.lua");
of_queue!(REMOVE, "lua/remove.lua");
of_queue!(SETTLE, "lua/settle.lua");
of_queue!(STATUS, "lua/status.lua");
of_queue!(WITHDRAW, "lua/withdraw.lua");

pub(super) static OPEN: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("lua/open.lua")));
pub(super) static SWAP: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("lua/swap.lua")));

/// The keys of a queue.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    /// A name in braces, as all keys that one script has to do with are named (hash tags of Redis Cluster).
    pub(super) fn of(queue: &str) -> Self {
        Self { prefix: format!("brine:{{{queue}}}:") }
    }

    pub(super) fn queue(&self) -> String {
        self.key("queue")
    }

    pub(super) fn messages(&self) -> String {
        self.key("messages")
    }

    pub(super) fn wake(&self) -> String {
        self.key("wake")
    }

    /// The mark of a queue that was deleted.
    pub(super) fn deleted(&self, birth: &str) -> String {
        self.key(&format!("deleted:{birth}"))
    }

    /// A value of the ledger.
    pub(super) fn ledger(&self, key: &str) -> String {
        self.key(&format!("ledger:{key}"))
    }

    fn key(&self, what: &str) -> String {
        format!("{}{what}", self.prefix)
    }

    /// Begins a script of the queue that has this birth.
    pub(super) fn invoke<'s>(&self, script: &'s Script, birth: &str) -> ScriptInvocation<'s> {
        let mut invocation = script.prepare_invoke();
        for what in
            ["queue", "messages", "held", "known", "dead", "letters", "sample", "refused", "wake"]
        {
            invocation.key(self.key(what));
        }
        invocation.arg(birth);
        invocation
    }
}

# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_brine_global_optspecs
    string join \n h/help V/version
end

function __fish_brine_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_brine_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_brine_using_subcommand
    set -l cmd (__fish_brine_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c brine -n "__fish_brine_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_needs_command" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_needs_command" -f -a "sign" -d 'Sign FILE or standard input'
complete -c brine -n "__fish_brine_needs_command" -f -a "verify" -d 'Verify an envelope and write its payload'
complete -c brine -n "__fish_brine_needs_command" -f -a "inspect" -d 'Show what an envelope claims, without verifying anything'
complete -c brine -n "__fish_brine_needs_command" -f -a "replay" -d 'Manage replay databases'
complete -c brine -n "__fish_brine_needs_command" -f -a "scan" -d 'Show what a pickle would import, without loading it'
complete -c brine -n "__fish_brine_needs_command" -f -a "run" -d 'Verify a job, then run it confined'
complete -c brine -n "__fish_brine_needs_command" -f -a "policy" -d 'Check a policy file'
complete -c brine -n "__fish_brine_needs_command" -f -a "doctor" -d 'Show what this machine can and cannot do for brine'
complete -c brine -n "__fish_brine_needs_command" -f -a "completions" -d 'Write the completions for a shell to standard output'
complete -c brine -n "__fish_brine_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brine -n "__fish_brine_using_subcommand sign" -s k -l key -d 'Sign with KEY: a name in the key store or a key file' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -s o -l output -d 'Write to FILE, whole or not at all; "-" is standard output, even a terminal' -r -F
complete -c brine -n "__fish_brine_using_subcommand sign" -s c -l context -d 'Sign for one purpose; verifiers must name the same context' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l type -d 'State what the payload is: a media type, or the number of a CoAP content format' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l expires -d 'Let the signature expire, after a duration like 7d or at a time' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l not-before -d 'Let the signature become valid later, after a duration or at a time' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l aad -d 'Sign the bytes of FILE as well; verifiers need the same file' -r -F
complete -c brine -n "__fish_brine_using_subcommand sign" -l alg -d 'The algorithm identifier to write; the algorithm is always Ed25519' -r -f -a "eddsa\t'-8, which most COSE libraries understand'
ed25519\t'-19, fully specified (RFC 9864)'"
complete -c brine -n "__fish_brine_using_subcommand sign" -l segment-size -d 'The length of a stream\'s segments, like 64KiB or 1MiB, at most 4MiB' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l hash -d 'The hash of a stream\'s segments, and of files that -d signs by their digest' -r -f -a "blake3\t'The fastest; its identifier is for private use'
sha256\t'Has a registered identifier, for other COSE software'"
complete -c brine -n "__fish_brine_using_subcommand sign" -l flush-after -d 'Write a stream, and close a segment when its first byte has waited this long, like 1s' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l threads -d 'The number of threads that hash and sign; by default one for each processor, at most 16' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l passphrase-file -d 'Read the passphrase from FILE instead of the terminal' -r -F
complete -c brine -n "__fish_brine_using_subcommand sign" -l passphrase-fd -d 'Read the passphrase from the pipe or file that is open as descriptor N' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l grant -d 'Let the job request something (can be repeated); implies --job' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l in -d 'The framing of the input, if it is not that of the output' -r -f -a "lines\t'As --lines'
null\t'As --null'
len32\t'As --len32'
cbor\t'As --cbor'"
complete -c brine -n "__fish_brine_using_subcommand sign" -l out -d 'The framing of the output, if it is not that of the input' -r -f -a "lines\t'As --lines'
null\t'As --null'
len32\t'As --len32'
cbor\t'As --cbor'"
complete -c brine -n "__fish_brine_using_subcommand sign" -l batch -d 'Sign up to N records with one signature (a Merkle tree); each can still be verified alone' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l linger -d 'How long the first record of a batch waits for others; by default 5ms' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l on-bad -d 'What to do when a record is refused' -r -f -a "stop\t'Stop, with the exit status of the reason'
skip\t'Continue with the next record, and exit with 1 at the end'"
complete -c brine -n "__fish_brine_using_subcommand sign" -l reject-to -d 'Append each refused record to FILE, whole and with the reason, and continue' -r -F
complete -c brine -n "__fish_brine_using_subcommand sign" -s d -l detached -d 'Leave the payload out of the envelope'
complete -c brine -n "__fish_brine_using_subcommand sign" -s a -l armor -d 'Write text instead of binary'
complete -c brine -n "__fish_brine_using_subcommand sign" -l plain -d 'Write only algorithm, key id and content type: the smallest envelope, and reproducible'
complete -c brine -n "__fish_brine_using_subcommand sign" -l single -d 'Write one envelope of any size up to 64 GiB, never a stream'
complete -c brine -n "__fish_brine_using_subcommand sign" -s q -l quiet -d 'Print no progress and no warnings'
complete -c brine -n "__fish_brine_using_subcommand sign" -l job -d 'Sign a job: work for "brine run"; "brine verify" does not accept it'
complete -c brine -n "__fish_brine_using_subcommand sign" -l lines -d 'Process records: one on each line; envelopes are base64url text'
complete -c brine -n "__fish_brine_using_subcommand sign" -l null -d 'Process records: each ends with a NUL byte; envelopes are base64url text'
complete -c brine -n "__fish_brine_using_subcommand sign" -l len32 -d 'Process records: each follows its length, a 4-byte big-endian number'
complete -c brine -n "__fish_brine_using_subcommand sign" -l cbor -d 'Process records: each is a CBOR item (RFC 8742)'
complete -c brine -n "__fish_brine_using_subcommand sign" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand sign" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand verify" -s o -l output -d 'Write to FILE, whole or not at all; "-" is standard output, even a terminal' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -s p -l public-key -d 'Trust KEY (can be repeated)' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -l trust -d 'Trust the signers in FILE, a trust.toml or an OpenSSH allowed_signers file' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l revoked -d 'Refuse all keys in FILE, which has one OpenSSH public key a line' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l signer -d 'Accept only the signer of this name in the trust file' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -s c -l context -d 'Require a signature for this context' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -l max-age -d 'Refuse signatures older than this, like 90s, 12h or 7d' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -l now -d 'Judge as of this time; the verdict says so' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -l aad -d 'Verify the bytes of FILE as well; they were signed together with the payload' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l try-keys -d 'Try up to N trusted keys, instead of 16, if an envelope names none of them' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -l detached -d 'Verify FILE against the envelope SIG, and write nothing' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l threads -d 'The number of threads that verify; by default one for each processor, at most 16' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -l typ -d 'Accept an envelope whose type (RFC 9596) is TYPE, as data' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -l report -d 'Write the verdict to FILE as a line of JSON' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l in -d 'The framing of the input, if it is not that of the output' -r -f -a "lines\t'As --lines'
null\t'As --null'
len32\t'As --len32'
cbor\t'As --cbor'"
complete -c brine -n "__fish_brine_using_subcommand verify" -l out -d 'The framing of the output, if it is not that of the input' -r -f -a "lines\t'As --lines'
null\t'As --null'
len32\t'As --len32'
cbor\t'As --cbor'"
complete -c brine -n "__fish_brine_using_subcommand verify" -l on-bad -d 'What to do when a record is refused' -r -f -a "stop\t'Stop, with the exit status of the reason'
skip\t'Continue with the next record, and exit with 1 at the end'"
complete -c brine -n "__fish_brine_using_subcommand verify" -l reject-to -d 'Append each refused record to FILE, whole and with the reason, and continue' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l retry -d 'Verify the records again that --reject-to kept in FILE' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l replay-db -d 'Release each record once; the replay database FILE remembers the released ones' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l lease -d 'How long other processes leave a record to this one if it dies; by default 1m' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -s d -l beside -d 'Verify each FILE against FILE.brine beside it'
complete -c brine -n "__fish_brine_using_subcommand verify" -l untagged -d 'Accept envelopes without a CBOR tag, too'
complete -c brine -n "__fish_brine_using_subcommand verify" -l outer-tags -d 'Accept envelopes inside the CBOR tags 61 (a CWT) and 55799 (CBOR), too'
complete -c brine -n "__fish_brine_using_subcommand verify" -l check -d 'Verify, and write no payload'
complete -c brine -n "__fish_brine_using_subcommand verify" -l whole -d 'Write nothing until the end of a stream has been verified'
complete -c brine -n "__fish_brine_using_subcommand verify" -l untyped -d 'Accept an envelope without a type, as data'
complete -c brine -n "__fish_brine_using_subcommand verify" -l json -d 'Write the verdict, and nothing else, to standard error as a line of JSON'
complete -c brine -n "__fish_brine_using_subcommand verify" -s v -l verbose -d 'Say who signed, even where standard error is not a terminal'
complete -c brine -n "__fish_brine_using_subcommand verify" -s q -l quiet -d 'Print no progress and no warnings, and nothing on success'
complete -c brine -n "__fish_brine_using_subcommand verify" -l lines -d 'Process records: one on each line; envelopes are base64url text'
complete -c brine -n "__fish_brine_using_subcommand verify" -l null -d 'Process records: each ends with a NUL byte; envelopes are base64url text'
complete -c brine -n "__fish_brine_using_subcommand verify" -l len32 -d 'Process records: each follows its length, a 4-byte big-endian number'
complete -c brine -n "__fish_brine_using_subcommand verify" -l cbor -d 'Process records: each is a CBOR item (RFC 8742)'
complete -c brine -n "__fish_brine_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand verify" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand inspect" -l diag -d 'Show it in CBOR diagnostic notation (RFC 8949, Section 8)'
complete -c brine -n "__fish_brine_using_subcommand inspect" -l json -d 'Write one line of JSON; of records, one for each'
complete -c brine -n "__fish_brine_using_subcommand inspect" -l lines -d 'Process records: one on each line; envelopes are base64url text'
complete -c brine -n "__fish_brine_using_subcommand inspect" -l null -d 'Process records: each ends with a NUL byte; envelopes are base64url text'
complete -c brine -n "__fish_brine_using_subcommand inspect" -l len32 -d 'Process records: each follows its length, a 4-byte big-endian number'
complete -c brine -n "__fish_brine_using_subcommand inspect" -l cbor -d 'Process records: each is a CBOR item (RFC 8742)'
complete -c brine -n "__fish_brine_using_subcommand inspect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand inspect" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand replay; and not __fish_seen_subcommand_from init status prune help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand replay; and not __fish_seen_subcommand_from init status prune help" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand replay; and not __fish_seen_subcommand_from init status prune help" -f -a "init" -d 'Create a database'
complete -c brine -n "__fish_brine_using_subcommand replay; and not __fish_seen_subcommand_from init status prune help" -f -a "status" -d 'Show how much a database holds, from when on, and which channels have gaps'
complete -c brine -n "__fish_brine_using_subcommand replay; and not __fish_seen_subcommand_from init status prune help" -f -a "prune" -d 'Remove entries of records that are too old to be accepted; this also happens by itself'
complete -c brine -n "__fish_brine_using_subcommand replay; and not __fish_seen_subcommand_from init status prune help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from init" -l max-age -d 'The maximum age of records; by default 24h' -r
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from init" -l accept-older -d 'Accept records that were signed before: no other database has released any of them'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from init" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from status" -l json -d 'Write JSON: a line for the database, and one for each channel'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from status" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from prune" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from help" -f -a "init" -d 'Create a database'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show how much a database holds, from when on, and which channels have gaps'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from help" -f -a "prune" -d 'Remove entries of records that are too old to be accepted; this also happens by itself'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brine -n "__fish_brine_using_subcommand scan" -l allow -d 'Allow the names on LIST: std, numpy, or a file with lines like "module:name" (can be repeated)' -r -F
complete -c brine -n "__fish_brine_using_subcommand scan" -l max-inflated -d 'Refuse files from which more than SIZE would be inflated' -r
complete -c brine -n "__fish_brine_using_subcommand scan" -l multi -d 'Accept several pickles in a file, one after the other'
complete -c brine -n "__fish_brine_using_subcommand scan" -l persistent-ids -d 'Accept persistent ids, which a loader passes to its persistent_load'
complete -c brine -n "__fish_brine_using_subcommand scan" -l json -d 'Write a line of JSON for each file'
complete -c brine -n "__fish_brine_using_subcommand scan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand scan" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand run" -l policy -d 'Allow what the policy FILE says; by default policy.toml beside the trust file, if there is one' -r -F
complete -c brine -n "__fish_brine_using_subcommand run" -s o -l output -d 'Write the output to FILE, whole or not at all; "-" is standard output, even a terminal' -r -F
complete -c brine -n "__fish_brine_using_subcommand run" -l partial-output -d 'Write output that is not released to FILE' -r -F
complete -c brine -n "__fish_brine_using_subcommand run" -l format -d 'Require a format of the output, if the job declares none' -r -f -a "bytes\t''
utf8\t''
json\t''
ndjson\t''
cbor\t''"
complete -c brine -n "__fish_brine_using_subcommand run" -l limit -d 'Lower a limit, as in wall=5s or memory=256MiB (can be repeated)' -r
complete -c brine -n "__fish_brine_using_subcommand run" -l without -d 'Leave out a layer of confinement; the verdict says so (can be repeated)' -r -f -a "namespaces\t''
network\t''
limits\t''
privileges\t''
landlock\t''
seccomp\t''"
complete -c brine -n "__fish_brine_using_subcommand run" -s p -l public-key -d 'Trust KEY (can be repeated)' -r
complete -c brine -n "__fish_brine_using_subcommand run" -l trust -d 'Trust the signers in FILE, a trust.toml or an OpenSSH allowed_signers file' -r -F
complete -c brine -n "__fish_brine_using_subcommand run" -l revoked -d 'Refuse all keys in FILE, which has one OpenSSH public key a line' -r -F
complete -c brine -n "__fish_brine_using_subcommand run" -l signer -d 'Accept only the signer of this name in the trust file' -r
complete -c brine -n "__fish_brine_using_subcommand run" -s c -l context -d 'Require a signature for this context' -r
complete -c brine -n "__fish_brine_using_subcommand run" -l max-age -d 'Refuse signatures older than this, like 90s, 12h or 7d' -r
complete -c brine -n "__fish_brine_using_subcommand run" -l now -d 'Judge as of this time; the verdict says so' -r
complete -c brine -n "__fish_brine_using_subcommand run" -l aad -d 'Verify the bytes of FILE as well; they were signed together with the payload' -r -F
complete -c brine -n "__fish_brine_using_subcommand run" -l try-keys -d 'Try up to N trusted keys, instead of 16, if an envelope names none of them' -r
complete -c brine -n "__fish_brine_using_subcommand run" -l report -d 'Write the verdict to FILE as a line of JSON' -r -F
complete -c brine -n "__fish_brine_using_subcommand run" -l explain -d 'Show the plan, and run nothing'
complete -c brine -n "__fish_brine_using_subcommand run" -l untagged -d 'Accept envelopes without a CBOR tag, too'
complete -c brine -n "__fish_brine_using_subcommand run" -l outer-tags -d 'Accept envelopes inside the CBOR tags 61 (a CWT) and 55799 (CBOR), too'
complete -c brine -n "__fish_brine_using_subcommand run" -l json -d 'Write the verdict, and nothing else, to standard error as a line of JSON'
complete -c brine -n "__fish_brine_using_subcommand run" -s v -l verbose -d 'Say who signed, even where standard error is not a terminal'
complete -c brine -n "__fish_brine_using_subcommand run" -s q -l quiet -d 'Print no progress and no warnings, and nothing on success'
complete -c brine -n "__fish_brine_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand run" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand policy; and not __fish_seen_subcommand_from check help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand policy; and not __fish_seen_subcommand_from check help" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand policy; and not __fish_seen_subcommand_from check help" -f -a "check" -d 'Read a policy, and show its entries, or the line that is wrong'
complete -c brine -n "__fish_brine_using_subcommand policy; and not __fish_seen_subcommand_from check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brine -n "__fish_brine_using_subcommand policy; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand policy; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "check" -d 'Read a policy, and show its entries, or the line that is wrong'
complete -c brine -n "__fish_brine_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brine -n "__fish_brine_using_subcommand doctor" -l json -d 'Write one line of JSON'
complete -c brine -n "__fish_brine_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand doctor" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand completions" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy doctor completions help" -f -a "sign" -d 'Sign FILE or standard input'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy doctor completions help" -f -a "verify" -d 'Verify an envelope and write its payload'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy doctor completions help" -f -a "inspect" -d 'Show what an envelope claims, without verifying anything'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy doctor completions help" -f -a "replay" -d 'Manage replay databases'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy doctor completions help" -f -a "scan" -d 'Show what a pickle would import, without loading it'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy doctor completions help" -f -a "run" -d 'Verify a job, then run it confined'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy doctor completions help" -f -a "policy" -d 'Check a policy file'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy doctor completions help" -f -a "doctor" -d 'Show what this machine can and cannot do for brine'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy doctor completions help" -f -a "completions" -d 'Write the completions for a shell to standard output'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy doctor completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brine -n "__fish_brine_using_subcommand help; and __fish_seen_subcommand_from replay" -f -a "init" -d 'Create a database'
complete -c brine -n "__fish_brine_using_subcommand help; and __fish_seen_subcommand_from replay" -f -a "status" -d 'Show how much a database holds, from when on, and which channels have gaps'
complete -c brine -n "__fish_brine_using_subcommand help; and __fish_seen_subcommand_from replay" -f -a "prune" -d 'Remove entries of records that are too old to be accepted; this also happens by itself'
complete -c brine -n "__fish_brine_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "check" -d 'Read a policy, and show its entries, or the line that is wrong'

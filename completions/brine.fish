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
complete -c brine -n "__fish_brine_needs_command" -f -a "sign" -d 'Sign bytes: from FILE or standard input, to an envelope'
complete -c brine -n "__fish_brine_needs_command" -f -a "verify" -d 'Verify an envelope and give its payload back'
complete -c brine -n "__fish_brine_needs_command" -f -a "inspect" -d 'Show what an envelope claims, without verifying anything'
complete -c brine -n "__fish_brine_needs_command" -f -a "replay" -d 'Look after a replay database'
complete -c brine -n "__fish_brine_needs_command" -f -a "scan" -d 'Show what a pickle would import, without loading it'
complete -c brine -n "__fish_brine_needs_command" -f -a "run" -d 'Verify a job, then run it confined'
complete -c brine -n "__fish_brine_needs_command" -f -a "policy" -d 'Check the file that says what jobs may have'
complete -c brine -n "__fish_brine_needs_command" -f -a "completions" -d 'Write the completions for a shell to standard output'
complete -c brine -n "__fish_brine_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brine -n "__fish_brine_using_subcommand sign" -s k -l key -d 'Sign with KEY: a name in the key store or a key file' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -s o -l output -d 'Write to FILE, whole or not at all; "-" is standard output, even a terminal' -r -F
complete -c brine -n "__fish_brine_using_subcommand sign" -l context -d 'Say what the signature is for; a verifier must name the same' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l type -d 'Say what the payload is: a media type, or the number of a CoAP content format' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l expires -d 'Let the signature expire, after a while like 7d or at a time' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l not-before -d 'Let the signature be valid only after a while, or from a time on' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l aad -d 'Sign the bytes of FILE as well, which the verifier must have too' -r -F
complete -c brine -n "__fish_brine_using_subcommand sign" -l alg -d 'The number that names the algorithm, always Ed25519' -r -f -a "eddsa\t'-8, which most COSE libraries understand'
ed25519\t'-19, fully specified (RFC 9864)'"
complete -c brine -n "__fish_brine_using_subcommand sign" -l segment-size -d 'How long a segment of a stream is, like 64KiB or 1MiB, up to 4MiB' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l hash -d 'How the segments of a stream, or what -d signs by its digest, are hashed' -r -f -a "blake3\t'Fastest, by a private-use number'
sha256\t'By its registered number, for other COSE software'"
complete -c brine -n "__fish_brine_using_subcommand sign" -l flush-after -d 'Write a stream, and close a segment when its first byte has waited this long, like 1s' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l threads -d 'How many threads hash and sign a stream or a file; by default one for each processor, at most 16' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l passphrase-file -d 'Read the passphrase from FILE instead of the terminal' -r -F
complete -c brine -n "__fish_brine_using_subcommand sign" -l passphrase-fd -d 'Read the passphrase from the pipe or file that is open as descriptor N' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l grant -d 'Let the job ask for something (can be repeated); implies --job' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l in -d 'How records are told apart in the input, where it is not as in the output' -r -f -a "lines\t'As --lines'
null\t'As --null'
len32\t'As --len32'
cbor\t'As --cbor'"
complete -c brine -n "__fish_brine_using_subcommand sign" -l out -d 'How records are told apart in the output, where it is not as in the input' -r -f -a "lines\t'As --lines'
null\t'As --null'
len32\t'As --len32'
cbor\t'As --cbor'"
complete -c brine -n "__fish_brine_using_subcommand sign" -l batch -d 'Sign up to N records with one signature (a Merkle tree); each remains verifiable alone' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -l linger -d 'How long the first record waits for others, full batches too, by default 5ms' -r
complete -c brine -n "__fish_brine_using_subcommand sign" -s d -l detached -d 'Leave the payload out of the envelope'
complete -c brine -n "__fish_brine_using_subcommand sign" -s a -l armor -d 'Write text instead of binary'
complete -c brine -n "__fish_brine_using_subcommand sign" -l plain -d 'Write algorithm, key id and content type only: smallest, and the same every time'
complete -c brine -n "__fish_brine_using_subcommand sign" -l single -d 'Write one envelope, whatever the size, up to 64 GiB'
complete -c brine -n "__fish_brine_using_subcommand sign" -s q -l quiet -d 'Show no progress'
complete -c brine -n "__fish_brine_using_subcommand sign" -l job -d 'Sign a job: work for "brine run", which "brine verify" does not give back'
complete -c brine -n "__fish_brine_using_subcommand sign" -l lines -d 'Work record by record: a line each; envelopes are base64url text'
complete -c brine -n "__fish_brine_using_subcommand sign" -l null -d 'Work record by record, each ended by a NUL byte; envelopes are base64url text'
complete -c brine -n "__fish_brine_using_subcommand sign" -l len32 -d 'Work record by record, each after its length, 4 bytes, the most significant first'
complete -c brine -n "__fish_brine_using_subcommand sign" -l cbor -d 'Work record by record, one CBOR item each (RFC 8742)'
complete -c brine -n "__fish_brine_using_subcommand sign" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand sign" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand verify" -s o -l output -d 'Write to FILE, whole or not at all; "-" is standard output, even a terminal' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -s p -l public-key -d 'Believe KEY (can be repeated)' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -l trust -d 'Believe the signers in FILE, a trust.toml or an OpenSSH allowed_signers file' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l revoked -d 'Believe none of the keys in FILE, one OpenSSH public key a line' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l signer -d 'Believe only the signer of this name in the trust file' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -l context -d 'Require the signature to be for this' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -l max-age -d 'Refuse signatures older than this, like 90s, 12h or 7d' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -l now -d 'Judge as if it were this moment; the verdict says so' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -l detached -d 'The envelope is in SIG, and FILE is what it signs; nothing is written' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l aad -d 'Verify the bytes of FILE as well, which were signed beside the payload' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l threads -d 'How many threads verify a stream or a file; by default one for each processor, at most 16' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -l typ -d 'Take an envelope whose type (RFC 9596) is TYPE as data' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -l report -d 'Write the verdict to FILE as a line of JSON' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l in -d 'How records are told apart in the input, where it is not as in the output' -r -f -a "lines\t'As --lines'
null\t'As --null'
len32\t'As --len32'
cbor\t'As --cbor'"
complete -c brine -n "__fish_brine_using_subcommand verify" -l out -d 'How records are told apart in the output, where it is not as in the input' -r -f -a "lines\t'As --lines'
null\t'As --null'
len32\t'As --len32'
cbor\t'As --cbor'"
complete -c brine -n "__fish_brine_using_subcommand verify" -l on-bad -d 'What happens when a record is refused' -r -f -a "stop\t'End, with the status of the reason'
skip\t'Go on with the next, and end with 1'"
complete -c brine -n "__fish_brine_using_subcommand verify" -l reject-to -d 'Keep every refused record in FILE, whole, with the reason, and go on' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l retry -d 'Verify the records that --reject-to kept in FILE once more' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l replay-db -d 'Release each record once: FILE remembers which were released' -r -F
complete -c brine -n "__fish_brine_using_subcommand verify" -l lease -d 'How long a record that is being written is held, should this process die; by default 1m' -r
complete -c brine -n "__fish_brine_using_subcommand verify" -s d -l beside -d 'Verify each FILE against FILE.brine beside it'
complete -c brine -n "__fish_brine_using_subcommand verify" -l check -d 'Give the verdict and write nothing'
complete -c brine -n "__fish_brine_using_subcommand verify" -l whole -d 'Hold everything back until the end of a stream has verified'
complete -c brine -n "__fish_brine_using_subcommand verify" -l untagged -d 'Take an envelope without its CBOR tag, too'
complete -c brine -n "__fish_brine_using_subcommand verify" -l json -d 'Write the verdict, and nothing else, to standard error as a line of JSON; with -d one for each FILE'
complete -c brine -n "__fish_brine_using_subcommand verify" -s v -l verbose -d 'Say who signed, even where standard error is no terminal'
complete -c brine -n "__fish_brine_using_subcommand verify" -s q -l quiet -d 'Show no progress, and of success nothing'
complete -c brine -n "__fish_brine_using_subcommand verify" -l lines -d 'Work record by record: a line each; envelopes are base64url text'
complete -c brine -n "__fish_brine_using_subcommand verify" -l null -d 'Work record by record, each ended by a NUL byte; envelopes are base64url text'
complete -c brine -n "__fish_brine_using_subcommand verify" -l len32 -d 'Work record by record, each after its length, 4 bytes, the most significant first'
complete -c brine -n "__fish_brine_using_subcommand verify" -l cbor -d 'Work record by record, one CBOR item each (RFC 8742)'
complete -c brine -n "__fish_brine_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand verify" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand inspect" -l diag -d 'Show it in CBOR diagnostic notation (RFC 8949, Section 8)'
complete -c brine -n "__fish_brine_using_subcommand inspect" -l json -d 'Write one line of JSON; of records, one for each'
complete -c brine -n "__fish_brine_using_subcommand inspect" -l lines -d 'Work record by record: a line each; envelopes are base64url text'
complete -c brine -n "__fish_brine_using_subcommand inspect" -l null -d 'Work record by record, each ended by a NUL byte; envelopes are base64url text'
complete -c brine -n "__fish_brine_using_subcommand inspect" -l len32 -d 'Work record by record, each after its length, 4 bytes, the most significant first'
complete -c brine -n "__fish_brine_using_subcommand inspect" -l cbor -d 'Work record by record, one CBOR item each (RFC 8742)'
complete -c brine -n "__fish_brine_using_subcommand inspect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand inspect" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand replay; and not __fish_seen_subcommand_from init status prune help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand replay; and not __fish_seen_subcommand_from init status prune help" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand replay; and not __fish_seen_subcommand_from init status prune help" -f -a "init" -d 'Make a new one'
complete -c brine -n "__fish_brine_using_subcommand replay; and not __fish_seen_subcommand_from init status prune help" -f -a "status" -d 'Show what it knows: how much, from when on, and which channels have gaps'
complete -c brine -n "__fish_brine_using_subcommand replay; and not __fish_seen_subcommand_from init status prune help" -f -a "prune" -d 'Forget what is refused for its age in any case; it happens by itself now and then'
complete -c brine -n "__fish_brine_using_subcommand replay; and not __fish_seen_subcommand_from init status prune help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from init" -l max-age -d 'How old a record may be, by default 24h' -r
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from init" -l accept-older -d 'Take records that were signed before, too: no other database ever released any of them'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from init" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from status" -l json -d 'Write JSON, a line for the database and one for each channel'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from status" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from prune" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from help" -f -a "init" -d 'Make a new one'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show what it knows: how much, from when on, and which channels have gaps'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from help" -f -a "prune" -d 'Forget what is refused for its age in any case; it happens by itself now and then'
complete -c brine -n "__fish_brine_using_subcommand replay; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brine -n "__fish_brine_using_subcommand scan" -l allow -d 'Allow what LIST names: std, numpy, or a file with lines like "module:name" (can be repeated)' -r -F
complete -c brine -n "__fish_brine_using_subcommand scan" -l multi -d 'Take several pickles one after the other in a file'
complete -c brine -n "__fish_brine_using_subcommand scan" -l persistent-ids -d 'Let persistent ids through, which the loader gives to its persistent_load'
complete -c brine -n "__fish_brine_using_subcommand scan" -l json -d 'Write a line of JSON for each file'
complete -c brine -n "__fish_brine_using_subcommand scan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand scan" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand run" -l policy -d 'Allow what FILE says; by default policy.toml beside the trust file, if it is there' -r -F
complete -c brine -n "__fish_brine_using_subcommand run" -s o -l output -d 'Write the output to FILE, whole or not at all; "-" is standard output, even a terminal' -r -F
complete -c brine -n "__fish_brine_using_subcommand run" -l partial-output -d 'Keep in FILE what there is of the output where it is not given out' -r -F
complete -c brine -n "__fish_brine_using_subcommand run" -l format -d 'Hold the output to a format, where the job declares none' -r -f -a "bytes\t''
utf8\t''
json\t''
ndjson\t''
cbor\t''"
complete -c brine -n "__fish_brine_using_subcommand run" -l limit -d 'Lower a limit, as in wall=5s or memory=256MiB (can be repeated)' -r
complete -c brine -n "__fish_brine_using_subcommand run" -l without -d 'Do without a layer of confinement, which the verdict then says (can be repeated)' -r -f -a "namespaces\t''
network\t''
limits\t''
privileges\t''
landlock\t''
seccomp\t''"
complete -c brine -n "__fish_brine_using_subcommand run" -s p -l public-key -d 'Believe KEY (can be repeated)' -r
complete -c brine -n "__fish_brine_using_subcommand run" -l trust -d 'Believe the signers in FILE, a trust.toml or an OpenSSH allowed_signers file' -r -F
complete -c brine -n "__fish_brine_using_subcommand run" -l revoked -d 'Believe none of the keys in FILE, one OpenSSH public key a line' -r -F
complete -c brine -n "__fish_brine_using_subcommand run" -l signer -d 'Believe only the signer of this name in the trust file' -r
complete -c brine -n "__fish_brine_using_subcommand run" -l context -d 'Require the signature to be for this' -r
complete -c brine -n "__fish_brine_using_subcommand run" -l max-age -d 'Refuse signatures older than this, like 90s, 12h or 7d' -r
complete -c brine -n "__fish_brine_using_subcommand run" -l now -d 'Judge as if it were this moment; the verdict says so' -r
complete -c brine -n "__fish_brine_using_subcommand run" -l aad -d 'Verify the bytes of FILE as well, which were signed beside the payload' -r -F
complete -c brine -n "__fish_brine_using_subcommand run" -l report -d 'Write the verdict to FILE as a line of JSON' -r -F
complete -c brine -n "__fish_brine_using_subcommand run" -l explain -d 'Show what would hold, and run nothing'
complete -c brine -n "__fish_brine_using_subcommand run" -l untagged -d 'Take an envelope without its CBOR tag, too'
complete -c brine -n "__fish_brine_using_subcommand run" -l json -d 'Write the verdict, and nothing else, to standard error as a line of JSON'
complete -c brine -n "__fish_brine_using_subcommand run" -s v -l verbose -d 'Say who signed, even where standard error is no terminal'
complete -c brine -n "__fish_brine_using_subcommand run" -s q -l quiet -d 'Say nothing of success, nor what the command wrote to standard error'
complete -c brine -n "__fish_brine_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand run" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand policy; and not __fish_seen_subcommand_from check help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand policy; and not __fish_seen_subcommand_from check help" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand policy; and not __fish_seen_subcommand_from check help" -f -a "check" -d 'Read a policy, and say for whom it is or in which line it is wrong'
complete -c brine -n "__fish_brine_using_subcommand policy; and not __fish_seen_subcommand_from check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brine -n "__fish_brine_using_subcommand policy; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand policy; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "check" -d 'Read a policy, and say for whom it is or in which line it is wrong'
complete -c brine -n "__fish_brine_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brine -n "__fish_brine_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brine -n "__fish_brine_using_subcommand completions" -s V -l version -d 'Print version'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy completions help" -f -a "sign" -d 'Sign bytes: from FILE or standard input, to an envelope'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy completions help" -f -a "verify" -d 'Verify an envelope and give its payload back'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy completions help" -f -a "inspect" -d 'Show what an envelope claims, without verifying anything'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy completions help" -f -a "replay" -d 'Look after a replay database'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy completions help" -f -a "scan" -d 'Show what a pickle would import, without loading it'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy completions help" -f -a "run" -d 'Verify a job, then run it confined'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy completions help" -f -a "policy" -d 'Check the file that says what jobs may have'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy completions help" -f -a "completions" -d 'Write the completions for a shell to standard output'
complete -c brine -n "__fish_brine_using_subcommand help; and not __fish_seen_subcommand_from sign verify inspect replay scan run policy completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brine -n "__fish_brine_using_subcommand help; and __fish_seen_subcommand_from replay" -f -a "init" -d 'Make a new one'
complete -c brine -n "__fish_brine_using_subcommand help; and __fish_seen_subcommand_from replay" -f -a "status" -d 'Show what it knows: how much, from when on, and which channels have gaps'
complete -c brine -n "__fish_brine_using_subcommand help; and __fish_seen_subcommand_from replay" -f -a "prune" -d 'Forget what is refused for its age in any case; it happens by itself now and then'
complete -c brine -n "__fish_brine_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "check" -d 'Read a policy, and say for whom it is or in which line it is wrong'

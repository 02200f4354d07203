# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_brinekey_global_optspecs
    string join \n h/help V/version
end

function __fish_brinekey_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_brinekey_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_brinekey_using_subcommand
    set -l cmd (__fish_brinekey_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c brinekey -n "__fish_brinekey_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brinekey -n "__fish_brinekey_needs_command" -s V -l version -d 'Print version'
complete -c brinekey -n "__fish_brinekey_needs_command" -f -a "gen" -d 'Make a new Ed25519 key'
complete -c brinekey -n "__fish_brinekey_needs_command" -f -a "pub" -d 'Write the public half of a key to standard output'
complete -c brinekey -n "__fish_brinekey_needs_command" -f -a "list" -d 'List the keys in the key store'
complete -c brinekey -n "__fish_brinekey_needs_command" -f -a "show" -d 'Show the fingerprints of a key'
complete -c brinekey -n "__fish_brinekey_needs_command" -f -a "passwd" -d 'Change the passphrase of a key'
complete -c brinekey -n "__fish_brinekey_needs_command" -f -a "import" -d 'Import a private key file into the key store'
complete -c brinekey -n "__fish_brinekey_needs_command" -f -a "export" -d 'Write a private key in another form'
complete -c brinekey -n "__fish_brinekey_needs_command" -f -a "trust" -d 'Manage the trust file'
complete -c brinekey -n "__fish_brinekey_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brinekey -n "__fish_brinekey_using_subcommand gen" -l passphrase-file -d 'Read the passphrase from FILE instead of the terminal' -r -F
complete -c brinekey -n "__fish_brinekey_using_subcommand gen" -l passphrase-fd -d 'Read the passphrase from the pipe or file that is open as descriptor N' -r
complete -c brinekey -n "__fish_brinekey_using_subcommand gen" -l no-trust -d 'Do not add the key to the trust file'
complete -c brinekey -n "__fish_brinekey_using_subcommand gen" -l no-passphrase -d 'Leave the key unencrypted, without asking for a passphrase'
complete -c brinekey -n "__fish_brinekey_using_subcommand gen" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brinekey -n "__fish_brinekey_using_subcommand gen" -s V -l version -d 'Print version'
complete -c brinekey -n "__fish_brinekey_using_subcommand pub" -l form -d 'The form to write' -r -f -a "openssh\t'One line: ssh-ed25519 ...'
spki\t'SubjectPublicKeyInfo in PEM (RFC 8410)'"
complete -c brinekey -n "__fish_brinekey_using_subcommand pub" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brinekey -n "__fish_brinekey_using_subcommand pub" -s V -l version -d 'Print version'
complete -c brinekey -n "__fish_brinekey_using_subcommand list" -l json -d 'Write one line of JSON for each key'
complete -c brinekey -n "__fish_brinekey_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brinekey -n "__fish_brinekey_using_subcommand list" -s V -l version -d 'Print version'
complete -c brinekey -n "__fish_brinekey_using_subcommand show" -l json -d 'Write one line of JSON'
complete -c brinekey -n "__fish_brinekey_using_subcommand show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brinekey -n "__fish_brinekey_using_subcommand show" -s V -l version -d 'Print version'
complete -c brinekey -n "__fish_brinekey_using_subcommand passwd" -l new-passphrase-file -d 'Read the new passphrase from FILE instead of the terminal' -r -F
complete -c brinekey -n "__fish_brinekey_using_subcommand passwd" -l passphrase-file -d 'Read the passphrase from FILE instead of the terminal' -r -F
complete -c brinekey -n "__fish_brinekey_using_subcommand passwd" -l passphrase-fd -d 'Read the passphrase from the pipe or file that is open as descriptor N' -r
complete -c brinekey -n "__fish_brinekey_using_subcommand passwd" -l no-passphrase -d 'Leave the key unencrypted'
complete -c brinekey -n "__fish_brinekey_using_subcommand passwd" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brinekey -n "__fish_brinekey_using_subcommand passwd" -s V -l version -d 'Print version'
complete -c brinekey -n "__fish_brinekey_using_subcommand import" -l passphrase-file -d 'Read the passphrase from FILE instead of the terminal' -r -F
complete -c brinekey -n "__fish_brinekey_using_subcommand import" -l passphrase-fd -d 'Read the passphrase from the pipe or file that is open as descriptor N' -r
complete -c brinekey -n "__fish_brinekey_using_subcommand import" -l trust -d 'Add the key to the trust file, too'
complete -c brinekey -n "__fish_brinekey_using_subcommand import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brinekey -n "__fish_brinekey_using_subcommand import" -s V -l version -d 'Print version'
complete -c brinekey -n "__fish_brinekey_using_subcommand export" -l form -d 'The form to write' -r -f -a "pkcs8\t'PKCS#8 in PEM (RFC 5958), as OpenSSL reads it'
openssh\t'An OpenSSH private key file'"
complete -c brinekey -n "__fish_brinekey_using_subcommand export" -s o -l output -d 'Write to FILE, readable by its owner only; "-" is standard output, even a terminal' -r -F
complete -c brinekey -n "__fish_brinekey_using_subcommand export" -l passphrase-file -d 'Read the passphrase from FILE instead of the terminal' -r -F
complete -c brinekey -n "__fish_brinekey_using_subcommand export" -l passphrase-fd -d 'Read the passphrase from the pipe or file that is open as descriptor N' -r
complete -c brinekey -n "__fish_brinekey_using_subcommand export" -l no-passphrase -d 'Leave the exported key unencrypted'
complete -c brinekey -n "__fish_brinekey_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brinekey -n "__fish_brinekey_using_subcommand export" -s V -l version -d 'Print version'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and not __fish_seen_subcommand_from add list remove check help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and not __fish_seen_subcommand_from add list remove check help" -s V -l version -d 'Print version'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and not __fish_seen_subcommand_from add list remove check help" -f -a "add" -d 'Trust a key under a name'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and not __fish_seen_subcommand_from add list remove check help" -f -a "list" -d 'List the trusted signers'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and not __fish_seen_subcommand_from add list remove check help" -f -a "remove" -d 'Remove a signer'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and not __fish_seen_subcommand_from add list remove check help" -f -a "check" -d 'Check whether signatures of a key would be accepted'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and not __fish_seen_subcommand_from add list remove check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from add" -s c -l context -d 'Trust the signer only for contexts like this; * matches anything but a slash (can be repeated)' -r
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from add" -l not-before -d 'Trust the signer from this time on' -r
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from add" -l not-after -d 'Trust the signer until this time' -r
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from add" -l trust -d 'Use this trust file instead of the default one' -r -F
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from add" -s V -l version -d 'Print version'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from list" -l trust -d 'Use this trust file instead of the default one' -r -F
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from list" -l json -d 'Write one line of JSON for each signer'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from remove" -l trust -d 'Use this trust file instead of the default one' -r -F
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from remove" -s V -l version -d 'Print version'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from check" -s c -l context -d 'The context of the signature; without it, a signature without a context' -r
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from check" -l now -d 'Judge as of this time' -r
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from check" -l revoked -d 'Refuse all keys in FILE, which has one OpenSSH public key a line' -r -F
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from check" -l trust -d 'Use this trust file instead of the default one' -r -F
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from help" -f -a "add" -d 'Trust a key under a name'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the trusted signers'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove a signer'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check whether signatures of a key would be accepted'
complete -c brinekey -n "__fish_brinekey_using_subcommand trust; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brinekey -n "__fish_brinekey_using_subcommand help; and not __fish_seen_subcommand_from gen pub list show passwd import export trust help" -f -a "gen" -d 'Make a new Ed25519 key'
complete -c brinekey -n "__fish_brinekey_using_subcommand help; and not __fish_seen_subcommand_from gen pub list show passwd import export trust help" -f -a "pub" -d 'Write the public half of a key to standard output'
complete -c brinekey -n "__fish_brinekey_using_subcommand help; and not __fish_seen_subcommand_from gen pub list show passwd import export trust help" -f -a "list" -d 'List the keys in the key store'
complete -c brinekey -n "__fish_brinekey_using_subcommand help; and not __fish_seen_subcommand_from gen pub list show passwd import export trust help" -f -a "show" -d 'Show the fingerprints of a key'
complete -c brinekey -n "__fish_brinekey_using_subcommand help; and not __fish_seen_subcommand_from gen pub list show passwd import export trust help" -f -a "passwd" -d 'Change the passphrase of a key'
complete -c brinekey -n "__fish_brinekey_using_subcommand help; and not __fish_seen_subcommand_from gen pub list show passwd import export trust help" -f -a "import" -d 'Import a private key file into the key store'
complete -c brinekey -n "__fish_brinekey_using_subcommand help; and not __fish_seen_subcommand_from gen pub list show passwd import export trust help" -f -a "export" -d 'Write a private key in another form'
complete -c brinekey -n "__fish_brinekey_using_subcommand help; and not __fish_seen_subcommand_from gen pub list show passwd import export trust help" -f -a "trust" -d 'Manage the trust file'
complete -c brinekey -n "__fish_brinekey_using_subcommand help; and not __fish_seen_subcommand_from gen pub list show passwd import export trust help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c brinekey -n "__fish_brinekey_using_subcommand help; and __fish_seen_subcommand_from trust" -f -a "add" -d 'Trust a key under a name'
complete -c brinekey -n "__fish_brinekey_using_subcommand help; and __fish_seen_subcommand_from trust" -f -a "list" -d 'List the trusted signers'
complete -c brinekey -n "__fish_brinekey_using_subcommand help; and __fish_seen_subcommand_from trust" -f -a "remove" -d 'Remove a signer'
complete -c brinekey -n "__fish_brinekey_using_subcommand help; and __fish_seen_subcommand_from trust" -f -a "check" -d 'Check whether signatures of a key would be accepted'

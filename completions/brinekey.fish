# Completions of brinekey for fish. "brine completions" says what fits; fish quotes what it puts on the line.
function __brinekey_fits
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    while set -q words[1]; and not string match -q -- '*brinekey' $words[1]
        set -e words[1]
    end
    set -e words[1]
    command brine completions fish brinekey -- $words "$typed" 2> /dev/null
end
function __brinekey_words
    set -l lines (__brinekey_fits)
    if test "$lines[1]" = commands
        complete -C (commandline -ct)
    end
    set -e lines[1]
    printf '%s\n' $lines
end
function __brinekey_takes_files
    set -l lines (__brinekey_fits)
    string match -q -- 'files*' $lines[1]
end
complete -c brinekey -f -a '(__brinekey_words)'
complete -c brinekey -n __brinekey_takes_files -F

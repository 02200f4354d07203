# Completions of brine for fish. "brine completions" says what fits; fish quotes what it puts on the line.
function __brine_fits
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    while set -q words[1]; and not string match -q -- '*brine' $words[1]
        set -e words[1]
    end
    set -e words[1]
    command brine completions fish brine -- $words "$typed" 2> /dev/null
end
function __brine_words
    set -l lines (__brine_fits)
    if test "$lines[1]" = commands
        complete -C (commandline -ct)
    end
    set -e lines[1]
    printf '%s\n' $lines
end
function __brine_takes_files
    set -l lines (__brine_fits)
    string match -q -- 'files*' $lines[1]
end
complete -c brine -f -a '(__brine_words)'
complete -c brine -n __brine_takes_files -F

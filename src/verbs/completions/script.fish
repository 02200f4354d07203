# Completions of PROGRAM for fish. "brine completions" says what fits; fish quotes what it puts on the line.
function __PROGRAM_fits
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    while set -q words[1]; and not string match -q -- '*PROGRAM' $words[1]
        set -e words[1]
    end
    set -e words[1]
    command brine completions fish PROGRAM -- $words "$typed" 2> /dev/null
end
function __PROGRAM_words
    set -l lines (__PROGRAM_fits)
    if test "$lines[1]" = commands
        complete -C (commandline -ct)
    end
    set -e lines[1]
    printf '%s\n' $lines
end
function __PROGRAM_takes_files
    set -l lines (__PROGRAM_fits)
    string match -q -- 'files*' $lines[1]
end
complete -c PROGRAM -f -a '(__PROGRAM_words)'
complete -c PROGRAM -n __PROGRAM_takes_files -F

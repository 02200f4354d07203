#compdef PROGRAM
# Completions of PROGRAM for zsh. "brine completions" says what fits; zsh quotes what it puts on the line.
_PROGRAM() {
    local line name about kind head
    local -a before lines described names
    integer i
    before=("${(@Q)words[2,CURRENT-1]}")
    (( CURRENT > 2 )) || before=()
    lines=("${(@f)$(command brine completions zsh PROGRAM -- "${before[@]}" "${(Q)PREFIX}" 2> /dev/null)}")
    kind=${lines[1]%%$'\t'*}
    [[ $lines[1] == *$'\t'* ]] && head=${lines[1]#*$'\t'}
    for line in "${(@)lines[2,-1]}"; do
        name=${line%%$'\t'*}
        [[ -n $name ]] || continue
        if [[ $line == *$'\t'* ]]; then
            about=${line#*$'\t'}
            described+=("${${name//\\/\\\\}//:/\\:}:$about")
        elif [[ $name == */ ]]; then
            compadd -S '' -- "$name"
        else
            names+=("$name")
        fi
    done
    (( $#described )) && _describe PROGRAM described
    (( $#names )) && compadd -- "${names[@]}"
    case $kind in
        files)
            [[ -z $head ]] || compset -p $#head
            _files
            ;;
        commands)
            i=${words[(i)--]}
            words=("${(@)words[i+1,-1]}")
            (( CURRENT -= i ))
            _normal
            ;;
    esac
}
if [[ $funcstack[1] == _PROGRAM ]]; then
    _PROGRAM "$@"
else
    compdef _PROGRAM PROGRAM
fi

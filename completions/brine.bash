# Completions of brine for bash. "brine completions" says what fits; names from files are quoted here.
_brine() {
    local IFS=$' \t\n' line=${COMP_LINE:0:COMP_POINT} bare kind word typed rest head quote='' name
    local -a words=()
    # Splits the line at blanks, and expands nothing.
    read -d '' -a words <<< "$line"
    while [[ ${#words[@]} -gt 1 && ${words[0]##*/} != "${COMP_WORDS[0]##*/}" ]]; do
        words=("${words[@]:1}")
    done
    [[ $line == *[[:space:]] && $line != *\\[[:space:]] ]] && words+=('')
    typed=${words[${#words[@]}-1]}
    # What readline replaces begins after the last of COMP_WORDBREAKS.
    read -d '' rest <<< "$2"
    # A quote that was opened, and is not itself quoted.
    bare=${line//\\?/}
    bare=${bare##*[[:space:]]}
    if [[ $bare == *[\"\']* ]]; then
        quote=open typed=${typed#[\"\']} rest=${rest#[\"\']}
    fi
    head=${typed%"$rest"}

    COMPREPLY=()
    {
        IFS=$'\t' read -r kind _
        while IFS=$'\t' read -r word _; do
            [[ $word == "$typed"* ]] || continue
            printf -v name %q "${word#"$head"}"
            # Inside quotes that were opened, only a name that needs none is itself.
            [[ -z $quote || $name == "${word#"$head"}" ]] && COMPREPLY+=("$name")
        done
        if [[ $kind == commands ]]; then
            while IFS= read -r word; do
                printf -v name %q "$word"
                COMPREPLY+=("$name")
            done < <(compgen -c -- "$rest")
        fi
    } < <(command brine completions bash brine -- "${words[@]:1}" 2> /dev/null)

    # Without a word that fits, bash completes files by itself, and quotes their names.
    [[ $kind == words ]] && compopt +o default +o bashdefault 2> /dev/null
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace 2> /dev/null
    return 0
}
complete -o bashdefault -o default -F _brine brine

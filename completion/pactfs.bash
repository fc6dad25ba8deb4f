# SPDX-License-Identifier: MIT
_pactfs() {
    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} options=
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W 'up down status explain scrub mount umount sync clean checkpoint serve help
            --help --version' -- "$word")
        return
    fi
    case $command in
    up) options='--mount --cache --allow-other --rebuild-index --json --help' ;;
    serve) options='--mount --cache --allow-other --rebuild-index --help' ;;
    status | explain | scrub) options='--json --help' ;;
    help) options='up down status explain scrub mount umount sync clean checkpoint serve' ;;
    *) options='--help' ;;
    esac
    if [ "$command" = help ] || [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    else
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
    fi
}
complete -F _pactfs pactfs

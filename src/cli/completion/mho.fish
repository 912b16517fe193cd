# Completion of mho in fish: what may follow is asked of mho itself.
function __mho_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] --complete $words[2..-1] 2>/dev/null)
        switch $line
            case '<files*'
                __fish_complete_path (commandline -ct)
            case '<folders>'
                __fish_complete_directories (commandline -ct)
            case '*'
                echo $line
        end
    end
end
complete -c mho -f -a '(__mho_complete)'

# Make .venv and install the tested set into it; do nothing where that has been done.
#
#     sh tools/setup.sh PYTHON               # which may be empty
#     sh tools/setup.sh PYTHON EXTRA FILE    # and that extra of pyproject.toml, pinned in FILE
#
# A .venv that is there is kept, whichever Python made it, unless PYTHON names another version,
# its own Python no longer runs, the folder has been moved, or its installation was interrupted.

fail() {
    echo "setup: $*" >&2
    exit 1
}

trap 'exit 130' INT TERM HUP # some shells would go on with the next line

system=$(uname -s)
[ "$system" = Linux ] ||
    fail "The lessons need Linux, and this is $system: use a container, WSL2 on Windows, or Binder; README.md says more."

python=${1:-python3}
version='import sys; print("%d.%d" % sys.version_info[:2]); sys.exit(sys.version_info < (3, 11))'
place=$(pwd -P)
extra=$2
more_pins=$3
tested=$(echo "$place" && cksum pyproject.toml constraints.txt ${more_pins:+"$more_pins"})
ready=.venv/ready${extra:+-$extra} # what was installed, and where
unfinished=.venv/unfinished # there while something is being installed
log=.venv/setup.log

check_python() {
    new=$("$python" -c "$version" 2>/dev/null) && return
    [ -n "$new" ] && fail "Python 3.11 or newer is needed, but $python is Python $new."
    fail "Python 3.11 or newer is needed, but $python cannot be run."
}

keep() {
    old=$(.venv/bin/python -c "$version" 2>/dev/null) || return
    [ -z "$1" ] || [ "$old" = "$new" ] || return
    [ ! -e $unfinished ] || return
    [ ! -e $ready ] || [ "$(head -n 1 $ready)" = "$place" ]
}

with_uv() {
    command -v uv >/dev/null
}

make_venv() {
    { rm -rf .venv && mkdir .venv && : >$unfinished; } 2>/dev/null ||
        fail "$place/.venv cannot be written."
    if with_uv; then
        uv venv --allow-existing --python "$(command -v "$python")" .venv >$log 2>&1
    else
        "$python" -c "import ensurepip, venv" 2>/dev/null ||
            fail "$python lacks the venv module (on Debian and Ubuntu: apt-get install python$new-venv)."
        "$python" -m venv .venv >$log 2>&1
    fi || fail ".venv could not be made; $log says why."
}

install() {
    if with_uv; then
        uv pip install --python .venv/bin/python -c constraints.txt ${more_pins:+-c "$more_pins"} "$@"
    else
        .venv/bin/python -m pip install -c constraints.txt ${more_pins:+-c "$more_pins"} "$@"
    fi
}

[ -z "$1" ] || check_python
if ! keep "$1"; then
    [ -n "$1" ] || check_python
    echo "Making .venv with Python $new."
    make_venv
elif [ "$(cat $ready 2>/dev/null)" = "$tested" ]; then
    exit
fi

echo "Installing the packages into .venv; the first time this takes about a minute."
: >$unfinished
# Without build isolation setuptools is the tested one too, and nothing is fetched for a build.
{
    install pip setuptools &&
        install --no-build-isolation -e ".[lab,test,browser${extra:+,$extra}]"
} >$log 2>&1
status=$?
rm $unfinished
[ $status = 0 ] || fail "The packages could not be installed (is there a network?); $log says why."

mkdir -p .venv/home # where the Makefile may want one

.venv/bin/python -m tools.jupyter >>$log 2>&1 || fail "JupyterLab could not be set up; $log says why."
echo "$tested" >$ready

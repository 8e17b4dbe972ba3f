# An echo server in Tcl: fcopy from a client to itself, in the background.
proc accept {sock host port} {
    fconfigure $sock -translation binary -blocking 0 -buffering none
    fcopy $sock $sock -command [list ended $sock]
}

proc ended {sock count {error ""}} {
    close $sock
}

socket -server accept -myaddr 127.0.0.1 [lindex $argv 0]
vwait forever

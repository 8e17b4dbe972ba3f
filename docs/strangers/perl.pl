# An echo server in Perl: a process for each client.
use strict;
use warnings;
use IO::Socket::INET;

$SIG{CHLD} = "IGNORE";
my $listener = IO::Socket::INET->new(
    LocalAddr => "127.0.0.1", LocalPort => $ARGV[0], Listen => 1024, ReuseAddr => 1,
) or die $!;
while (1) {
    my $sock = $listener->accept or next;
    if (fork == 0) {
        close $listener;
        while (sysread $sock, my $data, 65536) {
            my $sent = 0;
            while ($sent < length $data) {
                $sent += syswrite($sock, $data, 65536, $sent) // exit;
            }
        }
        exit;
    }
    close $sock;
}

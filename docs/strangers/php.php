<?php // An echo server in PHP: one loop on stream_select().
$listener = stream_socket_server("tcp://127.0.0.1:$argv[1]");
$clients = [];
while (true) {
    $readable = [$listener, ...$clients];
    $writable = $except = null;
    stream_select($readable, $writable, $except, null);
    foreach ($readable as $sock) {
        if ($sock === $listener) {
            if ($client = @stream_socket_accept($listener, 0)) {
                $clients[(int) $client] = $client;
            }
            continue;
        }
        $data = fread($sock, 65536);
        if ($data === false || $data === "") {
            unset($clients[(int) $sock]);
            fclose($sock);
        } else {
            fwrite($sock, $data);
        }
    }
}

"""Faults in the loop of one server, each with the requirement that must notice."""

from tests.lab.conformance.mutation import Mutation

OF_LOOPS = [
    # -- the loop of poll
    Mutation(
        "poll_server",
        "poller.register(listener, READ)",
        "poller.register(listener, 0)",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "poll_server",
        "                continue\n\n            conn =",
        "\n            conn =",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "poll_server",
        "poller.register(conn, conn.interest)",
        "poller.register(conn, 0)",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "poll_server",
        "poller.modify(fd, wanted)",
        "pass",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "poll_server",
        "                conn.interest = wanted\n",
        "",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "poll_server",
        "elif wanted != conn.interest:",
        "elif wanted > conn.interest:",
        "stops_reading_from_a_client_that_does_not_read",
    ),
    Mutation(
        "poll_server",
        "elif wanted != conn.interest:",
        "elif wanted < conn.interest:",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "poll_server",
        "                conn.sock.close()\n",
        "",
        "closes_when_the_client_has_finished",
    ),
    Mutation(
        "poll_server",
        "wanted = conn.wanted()",
        "wanted = conn.wanted() if conn.unsent or conn.eof else conn.interest",
        "sleeps_while_its_clients_are_silent",
    ),
    # -- the loop of epoll
    Mutation(
        "epoll_server",
        "poller.register(conn, conn.interest)",
        "poller.register(conn, conn.interest | select.EPOLLONESHOT)",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "epoll_server",
        "poller.modify(fd, wanted)",
        "poller.register(fd, wanted)",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "epoll_server",
        "                conn.interest = wanted\n",
        "",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "epoll_server",
        "elif wanted != conn.interest:",
        "elif wanted & ~conn.interest:",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "epoll_server",
        "                poller.unregister(fd)\n"
        "                del connections[fd]\n"
        "                conn.sock.close()\n",
        "                conn.sock.close()\n"
        "                poller.unregister(fd)\n"
        "                del connections[fd]\n",
        "serves_one_client_after_another",
    ),
    # -- the edge-triggered loop
    Mutation(
        "epoll_edge_server",
        "poller.poll(0 if ready else None)",
        "poller.poll()",
        "answers_a_client_that_sends_and_finishes_at_once",
    ),
    Mutation(
        "epoll_edge_server",
        "poller.poll(0 if ready else None)",
        "poller.poll(0)",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "epoll_edge_server",
        "ready.update(fd for fd, _ in events)",
        "ready = {fd for fd, _ in events}",
        "answers_a_client_that_sends_and_finishes_at_once",
    ),
    Mutation(
        "epoll_edge_server",
        "for fd in list(ready):",
        "for fd in ready:",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "epoll_edge_server",
        "                ready.remove(fd)\n                continue",
        "                continue",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "epoll_edge_server",
        "poller.register(conn, READ | WRITE | select.EPOLLET)",
        "poller.register(conn, READ | WRITE)",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "epoll_edge_server",
        "moved = conn.wanted() & READ and conn.receive()",
        "moved = conn.receive()",
        "stops_reading_from_a_client_that_does_not_read",
    ),
    Mutation(
        "epoll_edge_server",
        "                ready.remove(fd)\n                poller.unregister(fd)",
        "                poller.unregister(fd)",
        "serves_one_client_after_another",
    ),
    Mutation(
        "epoll_edge_server",
        "            elif not moved:",
        "            else:",
        "answers_a_client_that_sends_and_finishes_at_once",
    ),
    # -- the coroutines, and what resumes them
    Mutation(
        "coroutine_server",
        "            while data := await recv(sock):",
        "            if data := await recv(sock):",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "coroutine_server",
        "data = data[sock.send(data) :]",
        'data = data[sock.send(data) :] and b""',
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "coroutine_server",
        "await until(WRITE)",
        "await until(READ)",
        "sleeps_while_a_half_closed_client_does_not_read",
    ),
    Mutation(
        "coroutine_server",
        "    with sock:\n",
        "    if sock:\n",
        "closes_when_the_client_has_finished",
    ),
    Mutation(
        "coroutine_server",
        "except OSError:",
        "except ConnectionAbortedError:",
        "survives_a_client_that_resets",
    ),
    Mutation(
        "coroutine_server",
        "        await until(READ)\n        for conn",
        "        for conn",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "coroutine_server",
        "except StopIteration:",
        "except GeneratorExit:",
        "closes_when_the_client_has_finished",
    ),
    Mutation(
        "coroutine_server",
        "                continue\n",
        "                return\n",
        "serves_one_client_after_another",
    ),
    Mutation(
        "coroutine_server",
        "poller.modify(fd, wanted)",
        "pass",
        "sleeps_while_a_client_does_not_read",
    ),
    Mutation(
        "coroutine_server",
        "                interest[fd] = wanted\n",
        "",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "coroutine_server",
        "if wanted != interest[fd]:",
        "if wanted > interest[fd]:",
        "sleeps_while_its_clients_are_silent",
    ),
    # -- the ring
    Mutation(
        "io_uring_server",
        "elif result != -errno.ENOBUFS:",
        "else:",
        "serves_two_hundred_clients_in_any_order",
    ),
    Mutation(
        "io_uring_server",
        "elif operation == SEND and result >= 0:\n                    conn.sent(result)",
        'elif operation == SEND and result >= 0:\n                    conn.unsent = b""',
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "io_uring_server",
        "                elif conn.wanted():\n                    pool.receive(fd)",
        "                elif conn.wanted():\n                    pass",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "io_uring_server",
        "                    conn.lost()\n",
        "                    pass\n",
        "gives_its_descriptors_back",
    ),
    Mutation(
        "pool",
        "        self.give(number)\n        return data",
        "        return data",
        "serves_two_hundred_clients_in_any_order",
        server="io_uring_server",
    ),
    Mutation(
        "pool",
        "[number * SIZE : number * SIZE + length]",
        "[0:length]",
        "serves_two_hundred_clients_in_any_order",
        server="io_uring_server",
    ),
]

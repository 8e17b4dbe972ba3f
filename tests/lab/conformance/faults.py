"""Faults in what many servers share, each with the requirement that must notice."""

from tests.lab.conformance.mutation import Mutation

SHARED = [
    # -- the bytes
    Mutation(
        "connection",
        "            self.unsent += data",
        "            self.unsent = data",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "connection",
        "            self.unsent = self.unsent[count:]",
        "            self.unsent = self.unsent[count + 1 :]",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "connection",
        "            self.unsent = self.unsent[count:]",
        "            self.unsent = self.unsent",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "connection",
        "self.sock.send(self.unsent)",
        "self.sock.send(self.unsent.strip())",
        "sends_back_a_message_longer_than_the_buffers",
    ),
    Mutation(
        "connection",
        "self.sock.recv(RECV_SIZE)",
        "self.sock.recv(RECV_SIZE).strip()",
        "sends_back_a_message_longer_than_the_buffers",
    ),
    Mutation(
        "connection",
        "self.sock.recv(RECV_SIZE)",
        "self.sock.recv(0)",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "connection",
        "RECV_SIZE = 256 * 1024",
        "RECV_SIZE = 1",
        "sends_back_a_message_longer_than_the_buffers",
    ),
    Mutation(
        "connection",
        "self.interest = READ  #",
        'self.interest, self.own = READ, b"x" * (1 << 20)  #',
        "needs_little_memory_for_a_client",
    ),
    # -- the end of input
    Mutation(
        "connection",
        "            self.eof = not data",
        "            self.eof = False",
        "closes_when_the_client_has_finished",
    ),
    Mutation(
        "connection",
        "            self.eof = not data",
        "            self.eof = len(data) < 2",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "connection",
        "return 0 if self.eof else READ",
        "return READ",
        "closes_when_the_client_has_finished",
    ),
    Mutation(
        "connection",
        "return 0 if self.eof else READ",
        "return 0",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "select_server",
        "wanted = conn.wanted()",
        "wanted = conn.wanted() if conn.unsent else READ",
        "closes_when_the_client_has_finished",
    ),
    Mutation(
        "select_server",
        "wanted = conn.wanted()",
        "wanted = conn.wanted() if conn.unsent or conn.eof else 0",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "select_server",
        "del connections[fd]\n                conn.sock.close()",
        "del connections[fd]",
        "closes_when_the_client_has_finished",
    ),
    # -- clients that break off
    Mutation(
        "connection",
        "        except OSError:\n            self.lost()",
        "        except ConnectionAbortedError:\n            self.lost()",
        "survives_a_client_that_resets",
    ),
    Mutation(
        "connection",
        "        except OSError:\n            self.lost()",
        "        except OSError:\n            pass",
        "gives_its_descriptors_back",
    ),
    Mutation(
        "connection",
        'self.unsent, self.eof = b"", True',
        "self.eof = True",
        "gives_its_descriptors_back",
    ),
    # -- clients that do not read
    Mutation(
        "connection",
        "# usually nothing is left\n        except BlockingIOError:",
        "# usually nothing is left\n        except InterruptedError:",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "connection",
        "HIGH_WATER = 256 * 1024",
        "HIGH_WATER = 1 << 40",
        "stops_reading_from_a_client_that_does_not_read",
    ),
    Mutation(
        "connection",
        "return WRITE if self.eof or len(self.unsent) >= HIGH_WATER else READ | WRITE",
        "return WRITE if len(self.unsent) >= HIGH_WATER else READ | WRITE",
        "sleeps_while_a_half_closed_client_does_not_read",
    ),
    Mutation(
        "connection",
        "else READ | WRITE",
        "else READ",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "select_server",
        "wanted = conn.wanted()",
        "wanted = conn.wanted() if conn.eof else READ",
        "loses_nothing_when_the_client_reads_late",
    ),
    Mutation(
        "select_server",
        "for fd in readable | writable:",
        "for fd in readable:",
        "finishes_its_answer_to_a_half_closed_client",
    ),
    Mutation(
        "select_server",
        "select.select(reading, writing, [])",
        "select.select(reading, [], [])",
        "finishes_its_answer_to_a_half_closed_client",
    ),
    # -- many clients
    Mutation(
        "select_server",
        "    listener.setblocking(False)\n",
        "",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "select_server",
        "reading.add(conn.fileno())",
        "reading = {listener_fd, conn.fileno()}",
        "serves_two_hundred_clients_in_any_order",
    ),
    Mutation(
        "select_server",
        "                continue\n\n            conn =",
        "\n            conn =",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "accept",
        "sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)",
        "sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)",
        "survives_urgent_data",
    ),
    # -- what it costs
    Mutation(
        "select_server",
        "select.select(reading, writing, [])",
        "select.select(reading, writing, [], 0)",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "connection",
        "return 0 if self.eof else READ",
        "return 0 if self.eof else READ | WRITE",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "select_server",
        "if wanted & WRITE:",
        "if wanted & WRITE or wanted and fd in writing:",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "select_server",
        "if wanted & READ:",
        "if wanted:",
        "stops_reading_from_a_client_that_does_not_read",
    ),
    Mutation(
        "connection",
        "READ, WRITE = 1, 4",
        "READ, WRITE = 1, 1",
        "sleeps_while_its_clients_are_silent",
    ),
    Mutation(
        "select_server",
        "reading.discard(fd)",
        "reading.remove(fd)",
        "sleeps_while_a_client_does_not_read",
    ),
    Mutation(
        "select_server",
        "writing.discard(fd)",
        "writing.remove(fd)",
        "sends_back_what_it_receives",
    ),
    Mutation(
        "select_server",
        "reading.discard(fd)",
        "reading.add(fd)",
        "closes_when_the_client_has_finished",
    ),
    Mutation(
        "select_server",
        "                conn.receive()\n",
        "                while conn.receive() and not conn.eof: conn.send()\n",
        "serves_a_quiet_client_beside_a_flood",
    ),
    # -- limits
    Mutation(
        "accept",
        "(errno.EMFILE, errno.ENFILE) or listener",
        "(errno.ENFILE,) or listener",
        "goes_on_when_descriptors_run_out",
    ),
    Mutation(
        "accept",
        "            del spares[listener]",
        "            pass",
        "goes_on_when_descriptors_run_out",
    ),
    Mutation(
        "accept",
        "            if listener not in spares:",
        "            if listener in spares:",
        "goes_on_when_descriptors_run_out",
    ),
    Mutation(
        "accept",
        "        os.close(self.fd)",
        "        pass",
        "goes_on_when_descriptors_run_out",
    ),
    Mutation(
        "select_server",
        ">= FD_SETSIZE",
        "> FD_SETSIZE",
        "survives_a_descriptor_above_1023",
    ),
    Mutation(
        "select_server",
        "                        conn.sock.close()\n                        continue",
        "                        continue",
        "survives_a_descriptor_above_1023",
    ),
    Mutation(
        "select_server",
        "                        conn.sock.close()\n                        continue",
        "                        conn.sock.close()",
        "survives_a_descriptor_above_1023",
    ),
    Mutation(
        "select_server",
        "                        continue\n",
        "                        return\n",
        "survives_a_descriptor_above_1023",
    ),
    # -- what only another server shows
    Mutation(
        "connection",
        '# recv() returns b"" once the client has shut its side\n'
        "        except BlockingIOError:\n"
        "            return False",
        '# recv() returns b"" once the client has shut its side\n'
        "        except BlockingIOError:\n"
        "            raise",
        "serves_a_second_client_while_the_first_is_silent",
        server="nonblocking_server",
    ),
]

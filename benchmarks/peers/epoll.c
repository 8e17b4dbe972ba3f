/* An echo server on epoll(7) in C: what our epoll server does, without an interpreter.

       cc -O2 -o epoll epoll.c && ./epoll 7007

   It tries to send before it asks for room, stops reading from a client to whom it owes
   something, sets TCP_NODELAY and asks for 256 KiB at a time, as ours does. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECV_SIZE (256 * 1024)
#define EVENTS 1024

struct client {
    int fd, eof;
    uint32_t interest;
    char *unsent;
    size_t from, to;
};

static char buffer[RECV_SIZE];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void accept_all(int poller, int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0 || errno == ECONNABORTED) {
        if (fd < 0)
            continue;
        struct client *client = calloc(1, sizeof *client);
        if (!client)
            fail("calloc");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        client->fd = fd;
        client->interest = EPOLLIN;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

/* Each returns 0 when the client is lost. */

static int give(struct client *client) {
    ssize_t sent = send(client->fd, client->unsent + client->from, client->to - client->from,
                        MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN;
    client->from += sent;
    if (client->from == client->to) {
        free(client->unsent);
        client->unsent = NULL;
    }
    return 1;
}

static int take(struct client *client) {
    ssize_t got = recv(client->fd, buffer, RECV_SIZE, 0);
    if (got < 0)
        return errno == EAGAIN;
    if (got == 0) {
        client->eof = 1;
        return 1;
    }
    ssize_t sent = send(client->fd, buffer, got, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        return 0;
    if (sent < 0)
        sent = 0;
    if (sent < got) { /* the rest waits until there is room */
        client->from = 0;
        client->to = got - sent;
        if (!(client->unsent = malloc(client->to)))
            fail("malloc");
        memcpy(client->unsent, buffer + sent, client->to);
    }
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096))
        fail("cannot listen");

    int poller = epoll_create1(0);
    struct epoll_event first = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &first);

    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            if (!client) {
                accept_all(poller, listener);
                continue;
            }
            int alive = client->unsent ? give(client) : take(client);
            if (!alive || (client->eof && !client->unsent)) {
                close(client->fd); /* which takes it off the interest list, too */
                free(client->unsent);
                free(client);
                continue;
            }
            uint32_t wanted = client->unsent ? EPOLLOUT : EPOLLIN;
            if (wanted != client->interest) {
                client->interest = wanted;
                struct epoll_event event = {.events = wanted, .data.ptr = client};
                epoll_ctl(poller, EPOLL_CTL_MOD, client->fd, &event);
            }
        }
    }
}

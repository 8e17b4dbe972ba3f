// An echo server on libuv, as its guide has it.
#include <stdlib.h>
#include <uv.h>

typedef struct {
    uv_write_t request;
    uv_buf_t data;
} write_t;

static void on_allocate(uv_handle_t *client, size_t size, uv_buf_t *buffer) {
    *buffer = uv_buf_init(malloc(size), size);
}

static void on_close(uv_handle_t *client) {
    free(client);
}

static void on_written(uv_write_t *request, int status) {
    free(((write_t *)request)->data.base);
    free(request);
}

static void on_read(uv_stream_t *client, ssize_t count, const uv_buf_t *buffer) {
    if (count > 0) {
        write_t *write = malloc(sizeof *write);
        write->data = uv_buf_init(buffer->base, count);
        uv_write(&write->request, client, &write->data, 1, on_written);
        return;
    }
    free(buffer->base);
    if (count < 0)
        uv_close((uv_handle_t *)client, on_close);
}

static void on_connection(uv_stream_t *server, int status) {
    uv_tcp_t *client = malloc(sizeof *client);
    uv_tcp_init(server->loop, client);
    if (status == 0 && uv_accept(server, (uv_stream_t *)client) == 0)
        uv_read_start((uv_stream_t *)client, on_allocate, on_read);
    else
        uv_close((uv_handle_t *)client, on_close);
}

int main(int count, char **words) {
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t server;
    struct sockaddr_in here;
    uv_tcp_init(loop, &server);
    uv_ip4_addr("127.0.0.1", atoi(words[1]), &here);
    uv_tcp_bind(&server, (const struct sockaddr *)&here, 0);
    if (uv_listen((uv_stream_t *)&server, 1024, on_connection))
        return 1;
    return uv_run(loop, UV_RUN_DEFAULT);
}

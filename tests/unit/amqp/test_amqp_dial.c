// Opening a connection: a name service that hangs, addresses that swallow packets, and an owner that has no time for either.
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "connect.h"
#include "zs_dial.h"
#include "zs_text.h"

enum { PATIENCE_MS = 60000 };

// --- a name service of the test's own --------------------------------------------------------------------------------

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool hangs;
static int asked, answered;

int __real_getaddrinfo(const char *name, const char *port, const struct addrinfo *wanted,
                       struct addrinfo **found);
int __wrap_getaddrinfo(const char *name, const char *port, const struct addrinfo *wanted,
                       struct addrinfo **found);

// "two.test" has two addresses, the first of which is 127.0.0.2.
int __wrap_getaddrinfo(const char *name, const char *port, const struct addrinfo *wanted,
                       struct addrinfo **found) {
    pthread_mutex_lock(&lock);
    asked++;
    pthread_cond_broadcast(&changed);
    while (hangs)
        pthread_cond_wait(&changed, &lock);
    answered++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    if (strcmp(name, "two.test") != 0)
        return __real_getaddrinfo(name, port, wanted, found);
    int problem = __real_getaddrinfo("127.0.0.2", port, wanted, found);
    return problem ? problem : __real_getaddrinfo("127.0.0.1", port, wanted, &(*found)->ai_next);
}

static void set_hangs(bool on) {
    pthread_mutex_lock(&lock);
    hangs = on;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_until(const int *count, int value) {
    pthread_mutex_lock(&lock);
    while (*count < value)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

// --- sockets ---------------------------------------------------------------------------------------------------------

static int listen_at(const char *address, int *port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, address, &at.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

enum { FILLERS = 3 };

// A full queue of connections that nobody accepts: the kernel drops whoever asks next.
static void fill(const char *address, int port, int fillers[FILLERS]) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, address, &at.sin_addr);
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&at, sizeof at);
    }
    struct pollfd first = {.fd = fillers[0], .events = POLLOUT};
    assert_int_equal(poll(&first, 1, PATIENCE_MS), 1);
}

static void close_all(const int *fds, int count) {
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

static struct zs_amqp_address address_of(const char *host, int port) {
    struct zs_amqp_address address = {
        .hosts = {{.port = port}}, .host_count = 1, .vhost = "/", .user = "nobody"};
    snprintf(address.hosts[0].name, sizeof address.hosts[0].name, "%s", host);
    return address;
}

// --- tests -----------------------------------------------------------------------------------------------------------

static void an_address_that_swallows_packets_is_not_the_only_one(void **state) {
    (void)state;
    int port = 0, fillers[FILLERS];
    int good = listen_at("127.0.0.1", &port), bad = listen_at("127.0.0.2", &port);
    fill("127.0.0.2", port, fillers);
    struct zs_amqp_address to = address_of("two.test", port);
    struct zs_connected out;
    struct zs_error e = {0};
    if (!zs_connect(&to.hosts[0], to.tls, 0, PATIENCE_MS, NULL, &out, &e))
        fail_msg("%s", e.text);
    assert_string_equal(out.address, "127.0.0.1");
    assert_false(out.one_address_only);
    close(out.fd);
    close(good);
    // None answers: that is said within the bound.
    assert_false(zs_connect(&to.hosts[0], to.tls, 0, 1500, NULL, &out, &e));
    assert_non_null(strstr(e.text, "firewall"));
    close(bad);
    close_all(fillers, FILLERS);
}

// Two that answer: which one is asked first goes by the turn, so that one that is deaf later on is not taken for ever.
static void the_turn_says_which_address_goes_first(void **state) {
    (void)state;
    int port = 0;
    int one = listen_at("127.0.0.1", &port), two = listen_at("127.0.0.2", &port);
    struct zs_amqp_address to = address_of("two.test", port);
    static const char *const first[] = {"127.0.0.2", "127.0.0.1", "127.0.0.2"};
    int taken[3];
    for (unsigned turn = 0; turn < 3; turn++) {
        struct zs_connected out = {.fd = -1};
        struct zs_error e;
        bool right = false;
        for (int tries = 0; tries < 20 && !right;
             tries++) { // a stall may let the second one be asked, and answer first
            assert_true(zs_connect(&to.hosts[0], to.tls, turn, PATIENCE_MS, NULL, &out, &e));
            right = strcmp(out.address, first[turn]) == 0;
            taken[turn] = out.fd;
            int from = accept(strcmp(out.address, "127.0.0.2") == 0 ? two : one, NULL, NULL);
            assert_true(from >= 0);
            close(from);
            close(taken[turn]);
        }
        assert_true(right);
    }
    close(one);
    close(two);
}

static void a_refusal_is_said_at_once(void **state) {
    (void)state;
    int port = 0;
    close(listen_at("127.0.0.1", &port));
    struct zs_amqp_address to = address_of("127.0.0.1", port);
    struct zs_connected out;
    struct zs_error e = {0};
    int64_t from = zs_mono_ms();
    assert_false(zs_connect(&to.hosts[0], to.tls, 0, 10 * PATIENCE_MS, NULL, &out, &e));
    assert_true(zs_mono_ms() - from < PATIENCE_MS);
    assert_int_equal(e.code, ZS_RETRY);
    assert_non_null(strstr(e.text, "does the broker run"));
}

static struct zs_dial *dial(const struct zs_amqp_address *to, struct zs_watchdog *dog, int timeout_ms) {
    char name[] = "a name that goes";
    const struct zs_dial_plan plan = {.address = to,
                                      .settings = {.name = name, .call_timeout_ms = timeout_ms},
                                      .queue = "q",
                                      .prefetch = 1};
    struct zs_error e = {0};
    struct zs_dial *made = zs_dial_new(&plan, dog, &e);
    if (!made)
        fail_msg("%s", e.text);
    memset(name, 'x', sizeof name - 1);
    return made;
}

static struct zs_watchdog *new_dog(void) {
    struct zs_error e;
    struct zs_watchdog *dog = zs_watchdog_new(&e);
    assert_non_null(dog);
    return dog;
}

static void what_became_of_it_is_taken(void **state) {
    (void)state;
    int port = 0;
    close(listen_at("127.0.0.1", &port));
    struct zs_amqp_address to = address_of("127.0.0.1", port);
    struct zs_watchdog *dog = new_dog();
    struct zs_dial *made = dial(&to, dog, PATIENCE_MS);
    struct pollfd wait = {.fd = zs_dial_fd(made), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    assert_true(zs_dial_ended(made));
    assert_int_equal(poll(&wait, 1, 0), 0); // it wakes once
    struct zs_error e = {0};
    assert_null(zs_dial_take(made, &e));
    assert_int_equal(e.code, ZS_RETRY);
    zs_watchdog_free(dog);
}

// Neither the owner of a try nor that of the watchdog waits for the name service, and what it answers in the end is of no interest.
static void nobody_waits_for_a_name_service_that_hangs(void **state) {
    (void)state;
    int port = 0;
    int listener = listen_at("127.0.0.1", &port);
    struct zs_amqp_address to = address_of("127.0.0.1", port);
    struct zs_watchdog *dog = new_dog();
    int before = asked, until = answered + 1;
    set_hangs(true);
    struct zs_dial *made = dial(&to, dog, PATIENCE_MS);
    wait_until(&asked, before + 1);
    assert_false(zs_dial_ended(made));
    zs_dial_drop(made);
    zs_watchdog_free(dog);
    set_hangs(false);
    wait_until(&answered, until);
    close(listener);
}

// A broker that takes the connection and never says a word: the watchdog's owner goes, and ends the call with it.
static void a_try_ends_with_the_watchdog(void **state) {
    (void)state;
    int port = 0;
    int mute = listen_at("127.0.0.1", &port);
    struct zs_amqp_address to = address_of("127.0.0.1", port);
    struct zs_watchdog *dog = new_dog();
    struct zs_dial *made = dial(&to, dog, 10 * PATIENCE_MS);
    int client = accept(mute, NULL, NULL);
    char byte;
    assert_true(client >= 0);
    assert_int_equal(read(client, &byte, 1), 1); // it logs in
    zs_watchdog_free(dog);
    struct pollfd wait = {.fd = zs_dial_fd(made), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    zs_dial_drop(made);
    zs_dial_drop(NULL);
    close(client);
    close(mute);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_that_swallows_packets_is_not_the_only_one),
        cmocka_unit_test(the_turn_says_which_address_goes_first),
        cmocka_unit_test(a_refusal_is_said_at_once),
        cmocka_unit_test(what_became_of_it_is_taken),
        cmocka_unit_test(nobody_waits_for_a_name_service_that_hangs),
        cmocka_unit_test(a_try_ends_with_the_watchdog),
    };
    return cmocka_run_group_tests_name("amqp_dial", tests, NULL, NULL);
}

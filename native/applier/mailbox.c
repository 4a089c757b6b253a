#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "zs_target.h"

struct zs_mailbox {
    pthread_mutex_t lock;
    struct zs_request *first, *last;
    int fd;
};

struct zs_mailbox *zs_mailbox_new(struct zs_error *e) {
    struct zs_mailbox *mailbox = calloc(1, sizeof *mailbox);
    if (mailbox)
        mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!mailbox || mailbox->fd < 0) {
        zs_fail(e, ZS_FATAL, "cannot create a mailbox (eventfd): out of memory or file descriptors");
        free(mailbox);
        return NULL;
    }
    pthread_mutex_init(&mailbox->lock, NULL);
    return mailbox;
}

void zs_mailbox_free(struct zs_mailbox *mailbox) {
    if (!mailbox)
        return;
    close(mailbox->fd);
    pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
}

int zs_mailbox_fd(const struct zs_mailbox *mailbox) {
    return mailbox->fd;
}

void zs_mailbox_wake(struct zs_mailbox *mailbox) {
    uint64_t one = 1;
    // Only fails when the counter is full, and then the reader is awake anyway.
    if (write(mailbox->fd, &one, sizeof one) < 0)
        return;
}

void zs_mailbox_post(struct zs_mailbox *mailbox, struct zs_request *request) {
    request->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    if (mailbox->last) {
        mailbox->last->next = request; // the reader has been woken for what stands before it
    } else {
        mailbox->first = request;
        // Within the lock: the reader may free the mailbox once it has all it waits for.
        zs_mailbox_wake(mailbox);
    }
    mailbox->last = request;
    pthread_mutex_unlock(&mailbox->lock);
}

struct zs_request *zs_mailbox_take(struct zs_mailbox *mailbox) {
    uint64_t count;
    if (read(mailbox->fd, &count, sizeof count) < 0)
        count = 0; // nothing was posted since; the list tells
    pthread_mutex_lock(&mailbox->lock);
    struct zs_request *all = mailbox->first;
    mailbox->first = mailbox->last = NULL;
    pthread_mutex_unlock(&mailbox->lock);
    return all;
}

void zs_request_clear(struct zs_request *request) {
    free(request->memory);
    free(request->results);
    memset(request, 0, sizeof *request);
}

#ifndef QUEUE_CONTENT_H
#define QUEUE_CONTENT_H

#include "spool.h"

/*
 * Descriptors that hold one message and nothing else, for a relay. fd[0] is
 * its beginning; fd[1] the rest, or -1. *env is a copy of its envelope. All are
 * the caller's. SPOOL_OK, or why
 * not (SPOOL_IO with errno when no descriptor is to be had).
 */
enum spool_result content_descriptors(struct spool *, uint64_t id,
    uint64_t *size, int fd[2], uint8_t **env, size_t *envlen);

#endif

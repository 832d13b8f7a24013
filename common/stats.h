#ifndef COMMON_STATS_H
#define COMMON_STATS_H

#include <stdint.h>

/*
 * Counters. Each process has a page of 64-bit counters in a memory file that
 * the parent made and sealed against resizing; control maps all pages
 * read-only and adds them up. A counter has one writer process, so that plain
 * relaxed stores do. Names ending in .active and queue.* are gauges.
 *
 * X(NAME, "dotted.name", gauge)
 */
#define STATS_TABLE(X) \
	X(SMTP_SESSIONS, "smtp.sessions.total", 0) \
	X(SMTP_SESSIONS_ACTIVE, "smtp.sessions.active", 1) \
	X(SMTP_SESSIONS_REFUSED, "smtp.sessions.refused", 0) \
	X(SMTP_TLS, "smtp.tls.handshakes", 0) \
	X(SMTP_TLS_FAILED, "smtp.tls.failed", 0) \
	X(SMTP_COMMANDS, "smtp.commands", 0) \
	X(SMTP_REJECTED, "smtp.rejected", 0) \
	X(SMTP_MESSAGES, "smtp.messages.accepted", 0) \
	X(SMTP_MESSAGES_REFUSED, "smtp.messages.refused", 0) \
	X(SMTP_BYTES, "smtp.bytes.accepted", 0) \
	X(AUTH_OK, "auth.ok", 0) \
	X(AUTH_FAILED, "auth.failed", 0) \
	X(AUTH_TEMPFAIL, "auth.tempfail", 0) \
	X(AUTH_PENDING, "auth.pending", 1) \
	X(AUTH_WORKERS, "auth.workers", 1) \
	X(KEYS_SIGNED, "keys.signed", 0) \
	X(KEYS_REFUSED, "keys.refused", 0) \
	X(QUEUE_MESSAGES, "queue.messages", 1) \
	X(QUEUE_RECIPIENTS, "queue.recipients", 1) \
	X(QUEUE_BYTES, "queue.bytes", 1) \
	X(QUEUE_GRANTS, "queue.grants", 1) \
	X(QUEUE_INFLIGHT, "queue.inflight", 1) \
	X(QUEUE_ACCEPTED, "queue.accepted", 0) \
	X(QUEUE_DSN, "queue.dsn", 0) \
	X(QUEUE_REMOVED, "queue.removed", 0) \
	X(SPOOL_COMMITS, "spool.commits", 0) \
	X(SPOOL_FLUSHES, "spool.flushes", 0) \
	X(SPOOL_FLUSH_FAILED, "spool.flushes.failed", 0) \
	X(SPOOL_SEGMENTS, "spool.segments", 1) \
	X(SPOOL_BYTES, "spool.bytes.written", 0) \
	X(RELAY_CONNECTIONS, "relay.connections", 0) \
	X(RELAY_CONNECTIONS_ACTIVE, "relay.connections.active", 1) \
	X(RELAY_CONNECT_FAILED, "relay.connections.failed", 0) \
	X(RELAY_TLS, "relay.tls", 0) \
	X(RELAY_DELIVERED, "relay.delivered", 0) \
	X(RELAY_DEFERRED, "relay.deferred", 0) \
	X(RELAY_BOUNCED, "relay.bounced", 0) \
	X(RESOLVER_QUERIES, "resolver.queries", 0) \
	X(RESOLVER_FAILED, "resolver.failed", 0) \
	X(CONTROL_REQUESTS, "control.requests", 0) \
	X(CONTROL_DENIED, "control.denied", 0) \
	X(IPC_VIOLATIONS, "ipc.violations", 0) \
	X(PROC_STARTED, "proc.started", 0) \
	X(PROC_DIED, "proc.died", 0) \
	/* 1: the spool takes no messages now */ \
	X(QUEUE_STOPPED, "queue.stopped", 1) \
	/* logins refused before a backend was asked; clients not served */ \
	X(AUTH_REFUSED, "auth.refused", 0) \
	X(AUTH_BANNED, "auth.banned", 0) \
	/* conversations asked of PAM: whole ones, account checks alone */ \
	X(AUTH_PAM_ASKED, "auth.pam.asked", 0) \
	X(AUTH_PAM_ACCOUNT, "auth.pam.account", 0) \
	X(AUTH_CACHE_HITS, "auth.cache.hits", 0) \
	X(AUTH_CACHE_ENTRIES, "auth.cache.entries", 1) \
	/* octets the tables may take, entries in them, bans that hold */ \
	X(AUTH_GUARD_MEMORY, "auth.guard.memory", 1) \
	X(AUTH_GUARD_ENTRIES, "auth.guard.entries", 1) \
	X(AUTH_GUARD_BANS, "auth.guard.bans", 1) \
	/* questions to databases, those that had no answer, and messages \
	 * that came too soon for their credential */ \
	X(QUEUE_LOOKUPS, "queue.lookups", 0) \
	X(QUEUE_LOOKUPS_FAILED, "queue.lookups.failed", 0) \
	X(QUEUE_RATE_REFUSED, "queue.rate.refused", 0) \
	/* 1: an operator paused the acceptance of mail */ \
	X(QUEUE_PAUSED, "queue.paused", 1)

enum counter {
#define X(name, text, gauge)	STAT_##name,
	STATS_TABLE(X)
#undef X
	STAT_MAX
};

#define STATS_PAGE_SIZE	4096

/* Page of this process; a private one until stats_map() was called. */
extern uint64_t	*stats_page;

static inline void
stats_add(enum counter s, int64_t n)
{
	stats_page[s] += (uint64_t)n;
}

static inline void
stats_set(enum counter s, uint64_t n)
{
	stats_page[s] = n;
}

#define stats_inc(s)	stats_add((s), 1)
#define stats_dec(s)	stats_add((s), -1)

/* Make a sealed page. Returns a descriptor or -1 with errno. */
int	 stats_create(void);
/* Map the page behind fd as this process's own. 0, or -1 with errno. */
int	 stats_map(int fd);
/* Map another process's page read-only; NULL with errno. */
const volatile uint64_t *stats_map_other(int fd);
void	 stats_unmap_other(const volatile uint64_t *);
const char *stats_name(enum counter);
int	 stats_is_gauge(enum counter);

#endif

#ifndef AUTH_GUARD_H
#define AUTH_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/network.h"
#include "common/slice.h"

/*
 * Attackers at the door: counts failed logins per address (/32, /64), network
 * (/24, /48), user and (address, user) in bounded tables, and says before any
 * backend is asked whether a login may be tried, how slowly a failure is to be
 * answered, and who is not served at all. Time comes from the caller: ms of a
 * clock that never goes back.
 */

struct conf;

enum guard_word {
	GUARD_GO,		/* ask the backend */
	GUARD_WAIT,		/* guard_begin: when that other one has ended */
	GUARD_BUSY,		/* 454: too many failures there, or of him */
	GUARD_BANNED		/* the address is not served: 421 */
};

struct guard_answer {
	enum guard_word	 word;
	unsigned int	 seconds;	/* for which it holds; 0: until told */
	const char	*reason;	/* static, for the log */
};

/* One verification under way; all 0: none. */
struct guard_ticket {
	uint64_t	 pair;		/* client and user */
	uint64_t	 lock;		/* what bounds the user's logins */
	bool		 near;		/* lock is one of a network */
};

/* At start. 0, or -1 without memory. */
int	 guard_init(void);
/* From now on these limits and trusted networks hold. */
void	 guard_configure(const struct conf *);

/* A client connected. GO or BANNED. */
struct guard_answer guard_connect(struct slice client, int64_t now_ms);
/*
 * It wants to log in as user, by whatever mechanism: as soon as the user is
 * named, and again before each response that may fail. Never WAIT.
 */
struct guard_answer guard_try(struct slice client, struct slice block,
	    struct slice user, int64_t now_ms);
/*
 * What guard_try() would say now, for an operator: nothing is counted by it.
 */
struct guard_answer guard_look(struct slice client, struct slice block,
	    struct slice user, int64_t now_ms);
/*
 * The same where the verdict comes later (a password for a backend): GO also
 * counts it as under way, so that a thousand at once do not get in before the
 * first has failed. Then guard_end() is due with that ticket, before
 * guard_failed() or guard_ok(). WAIT: the client has another one under way for
 * that user; ask again when that has ended. ticket->pair tells which.
 */
struct guard_answer guard_begin(struct slice client, struct slice block,
	    struct slice user, int64_t now_ms, struct guard_ticket *);
/* It is over, whatever came out; the ticket is cleared. */
void	 guard_end(struct guard_ticket *);
/*
 * It failed. user: "" if it was never named. password: what was tried, ""
 * where there was none to see; the same one again by the same client counts
 * once. Returns ms after the attempt's start at which the answer is due.
 */
unsigned int guard_failed(struct slice client, struct slice block,
	    struct slice user, struct slice password, int64_t now_ms);
void	 guard_ok(struct slice client, struct slice block, struct slice user,
	    int64_t now_ms);
/* The step of delays, in ms. */
unsigned int guard_delay_ms(void);

/* --- for msactl --- */

struct guard_ban {
	struct network	 network;
	unsigned int	 seconds;	/* left; 0: until it is taken back */
	bool		 manual;	/* by msactl ban */
	unsigned int	 failures;	/* counted now; not manual */
};

struct guard_user {
	char		 block[64];	/* cut if longer */
	char		 user[128];
	unsigned int	 failures;	/* counted now */
	unsigned int	 refused;	/* tries refused since it is known */
	bool		 locked;	/* refused from where it is not known */
};

/*
 * Serve nobody of that network (an address: with all its bits), for so many
 * seconds; 0: until taken back. -1: there are too many.
 */
int	 guard_ban(const struct network *, unsigned int seconds,
	    int64_t now_ms);
/*
 * Take back bans of that network and of all within it, and forget their
 * failures. Returns how many bans there were.
 */
unsigned int guard_unban(const struct network *, int64_t now_ms);
/* Bans one after the other, from *cursor 0 on; false: no more. */
bool	 guard_next_ban(size_t *cursor, int64_t now_ms, struct guard_ban *);
/* The users with the most failures, most first. Returns how many, up to n. */
size_t	 guard_top_users(struct guard_user *, size_t n, int64_t now_ms);
/* Octets that the tables take at most, and entries in them. */
size_t	 guard_memory(void);
unsigned int guard_entries(void);

#endif

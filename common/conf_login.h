#ifndef COMMON_CONF_LOGIN_H
#define COMMON_CONF_LOGIN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * G(word, member, unit, default, min, max): what "limit login" may say of
 * failed logins. A limit of 0 is none. Times are seconds.
 */
#define CONF_LOGIN_TABLE(G) \
	/* failures in a period: of one IPv4 address or IPv6 /64, ... */ \
	G("address", address, COUNT, 50, 0, 100000) \
	/* of an IPv4 /24 or IPv6 /48, */ \
	G("network", network, COUNT, 250, 0, 100000) \
	/* of one user, from where he has not logged in lately, */ \
	G("user", user, COUNT, 50, 0, 100000) \
	/* of one user from one address */ \
	G("user-address", user_address, COUNT, 20, 0, 100000) \
	G("period", period, TIME, 900, 10, 604800) \
	/* the first ban of a network or address; the next is twice that */ \
	G("ban", ban, TIME, 900, 1, 2592000) \
	G("ban-max", ban_max, TIME, 86400, 1, 2592000) \
	/* before a failure is answered: the step, and at most */ \
	G("delay", delay, TIME, 1, 0, 60) \
	G("delay-max", delay_max, TIME, 5, 0, 60) \
	/* how long a good login speaks for the place it came from */ \
	G("remember", remember, TIME, 2592000, 0, 31536000)

struct conf_login {
#define G(word, member, unit, value, min, max)	uint64_t member;
	CONF_LOGIN_TABLE(G)
#undef G
	bool		 off;		/* "limit login off" */
};

struct conf_build;

void	 conf_login_default(struct conf_login *);
/*
 * "limit NAME" begins, which must be "limit login" or "limit default"
 * (conf_rates.h, as are its words then); each may stand once.
 */
void	 conf_build_login(struct conf_build *, const char *name);
/* "limit login off". */
void	 conf_build_login_off(struct conf_build *, const char *word);
/* "WORD VALUE" of the block; says what is wrong with it. */
void	 conf_build_login_word(struct conf_build *, const char *word,
	    const char *value);
/* As canonical text, if anything differs from the defaults. */
void	 conf_login_print(FILE *, const struct conf_login *);

#endif

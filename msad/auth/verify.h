#ifndef AUTH_VERIFY_H
#define AUTH_VERIFY_H

#include "common/slice.h"
#include "common/verdict.h"
#include "msad/auth/blocks.h"
#include "msad/auth/credential.h"

/*
 * Is this the password of that user? Asks the cache of right passwords, then
 * the passwd file, then PAM, as the block has it. attempt.c asks guard.h
 * before, whatever the mechanism.
 */

/* What came out. The slices end with the call. */
struct verify_answer {
	/* OK, AUTH_FAILED, _BUSY, _DISABLED, _EXPIRED, _WEAK */
	enum verdict	 verdict;
	struct slice	 user;		/* as the backend names it; OK */
	struct slice	 password;	/* what was tried; "" AUTH_BUSY */
	struct credential *credential;	/* to be referenced, or NULL; OK */
	unsigned int	 fail_delay;	/* us, as the backend asked */
	const char	*backend;	/* "passwd", "pam" or "" */
	bool		 cached;	/* the cache knew the password */
	struct slice	 reason;	/* for the log */
};

struct verification;
typedef void (*verify_done)(void *, const struct verify_answer *);

/*
 * mech is the mechanism that showed the password (CONF_MECH_*): a credential
 * may ask for a better one. The password is copied, and wiped after use.
 * done() is called once, unless cancelled; when that was before the return,
 * NULL is returned. The block must stay until then.
 */
struct verification *verify_password(const struct auth_block *,
	    unsigned int mech, struct slice client, struct slice user,
	    struct slice password, verify_done done, void *arg);
/*
 * May that user, whom others vouch for, log in? PAM's account management is
 * asked; the block must have a PAM service. As above.
 */
struct verification *verify_account(const struct auth_block *,
	    struct slice client, struct slice user, verify_done done,
	    void *arg);
/* Is a backend at it, which cannot be stopped? */
bool	 verify_begun(const struct verification *);
/* Somebody else waits for it. */
void	 verify_redirect(struct verification *, verify_done done, void *arg);
/* Nobody waits for it any more; done() is not called. */
void	 verify_cancel(struct verification *);

#endif

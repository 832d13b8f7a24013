#ifndef AUTH_THROTTLE_H
#define AUTH_THROTTLE_H

#include <stdint.h>

#define THROTTLE_MAX_MS	5000

/*
 * How long after its start a failed attempt is to be answered, in ms:
 * failures counts this one and those before it in the session, step_ms is for
 * each of them, pam_us is what PAM modules asked for. At most THROTTLE_MAX_MS.
 */
unsigned int throttle_answer_ms(unsigned int failures, unsigned int step_ms,
	    unsigned int pam_us);
/* What remains of that when elapsed_ms have passed. */
unsigned int throttle_remaining_ms(unsigned int answer_ms,
	    int64_t elapsed_ms);

#endif

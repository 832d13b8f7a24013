/*
 * How slowly failed logins are answered. Pure; called in msad-auth. The
 * front-end holds the reply, so that waiting costs nobody else.
 *
 * The time counts from the start of the attempt: an unknown user, for whom no
 * password is hashed, is answered no sooner than a wrong password
 * (CONFORMANCE R4954-6-a). It grows with each failure (R4954-9-a).
 */

#include "msad/auth/throttle.h"

unsigned int
throttle_answer_ms(unsigned int failures, unsigned int step_ms,
    unsigned int pam_us)
{
	unsigned int	 ms;

	ms = step_ms > 0 && failures > THROTTLE_MAX_MS / step_ms ?
	    THROTTLE_MAX_MS : failures * step_ms;
	if (pam_us / 1000 > ms)
		ms = pam_us / 1000;
	return ms < THROTTLE_MAX_MS ? ms : THROTTLE_MAX_MS;
}

unsigned int
throttle_remaining_ms(unsigned int answer_ms, int64_t elapsed_ms)
{
	if (elapsed_ms <= 0)
		return answer_ms;
	return elapsed_ms >= (int64_t)answer_ms ? 0 :
	    answer_ms - (unsigned int)elapsed_ms;
}

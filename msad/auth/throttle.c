/*
 * How slowly failed logins are answered. Pure; called in msad-auth. The
 * front-end holds the reply, so that waiting costs nobody else.
 *
 * The time counts from the start of the attempt: an unknown user, for whom no
 * password is hashed, is answered no sooner than a wrong password
 * (CONFORMANCE R4954-6-a). It grows with each failure (R4954-9-a).
 */

#include "msad/auth/throttle.h"

#define STEP_MS	1000

unsigned int
throttle_answer_ms(unsigned int failures, unsigned int pam_us)
{
	unsigned int	 ms;

	if (failures > THROTTLE_MAX_MS / STEP_MS)
		failures = THROTTLE_MAX_MS / STEP_MS;
	ms = failures * STEP_MS;
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

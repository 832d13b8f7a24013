/* What a credential is good for, asked within msad-auth's sandbox. */
/* links: msad/auth/credential.c */
/* libs: crypto */

#include <sys/types.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/sandbox.h"
#include "msad/auth/credential.h"

#define NO_ANSWER	99

/* Does a credential for that network fit the client? In the sandbox. */
static int
fits(const char *network, const char *client)
{
	struct network		 n;
	struct credential	 c = { .networks = &n, .nnetworks = 1 };
	const char		*reason;
	pid_t			 pid;
	int			 status;

	assert_true(network_parse(network, &n));
	if ((pid = fork()) == 0) {
		if (sandbox_apply(ROLE_AUTH, SANDBOX_PLAIN, &reason) == -1)
			_exit(NO_ANSWER);
		_exit(credential_fits(&c, SLICE_STR(client), 1, &reason));
	}
	assert_int_not_equal(pid, -1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : NO_ANSWER;
}

static void
networks(void **state)
{
	(void)state;
	assert_int_equal(fits("192.0.2.0/24", "192.0.2.7"), 1);
	assert_int_equal(fits("192.0.2.0/24", "192.0.3.7"), 0);
	assert_int_equal(fits("192.0.2.0/24", "::ffff:192.0.2.7"), 1);
	assert_int_equal(fits("2001:db8::/32", "2001:db8:1::7"), 1);
	assert_int_equal(fits("2001:db8::/32", "192.0.2.7"), 0);
	/* names of interfaces cannot be asked for there */
	assert_int_equal(fits("fe80::/10", "fe80::7%lo"), 1);
	assert_int_equal(fits("fe80::/10", "fe80::7%none"), 1);
	assert_int_equal(fits("2001:db8::/32", "fe80::7%lo"), 0);
	/* what is no address is in no network */
	assert_int_equal(fits("0.0.0.0/0", "unknown"), 0);
	assert_int_equal(fits("0.0.0.0/0", ""), 0);
	assert_int_equal(fits("0.0.0.0/0", "1"), 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(networks)
	};

	return cmocka_run_group_tests_name("credential", tests, NULL, NULL);
}

/* links: msad/frontend/submission.c msad/frontend/rewrite.c */
/*
 * R5322-3.6.4-a: ten million Message-IDs made by several processes at once,
 * half of them forked from one that has made some itself, hold no duplicate.
 * 64 bits of a hash of each are compared: that two of ten million are alike
 * by chance happens once in 370,000 runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/slice.h"
#include "msad/frontend/submission.h"

#define NPROCS	4
#ifdef __SANITIZE_ADDRESS__	/* which makes it ten times as slow */
#define EACH	250000
#else
#define EACH	2500000
#endif
#define TOTAL	(NPROCS * EACH)

static uint64_t	*seen;

/* The Message-ID that a message without one gets, as 64 bits (FNV-1a). */
static uint64_t
make_one(void)
{
	static const char	 fields[] = "From: <me@b.example>\r\n"
				     "Date: Thu, 1 Jan 2026 10:00:00 +0000\r\n";
	struct submission	 sub;
	const char		*p;
	uint64_t		 h = 0xcbf29ce484222325U;

	memset(&sub, 0, sizeof(sub));
	sub.section = fields;
	sub.len = sizeof(fields) - 1;
	sub.host = "mail.example.org";
	sub.now = 1767261600;		/* all within one second */
	if (submission_correct(&sub) != REPLY_NONE)
		return 0;
	p = memmem(sub.out, sub.out_len, "Message-ID: <", 13);
	for (; p != NULL && *p != '>'; p++) {
		h ^= (unsigned char)*p;
		h *= 0x100000001b3U;
	}
	free(sub.out);
	return p == NULL || sub.added != ADDED_MESSAGE_ID ? 0 : h;
}

static void
make_many(uint64_t *to, size_t n)
{
	while (n-- > 0)
		*to++ = make_one();
}

/* Two processes, and of each a child when it has made half of its own. */
static void
make_half(uint64_t *to)
{
	pid_t	child;
	int	status;

	make_many(to, EACH / 2);
	if ((child = fork()) == -1)
		_exit(1);
	if (child == 0) {
		make_many(to + EACH, EACH);
		_exit(0);
	}
	make_many(to + EACH / 2, EACH / 2);
	if (waitpid(child, &status, 0) != child || status != 0)
		_exit(1);
	_exit(0);
}

static int
compare(const void *a, const void *b)
{
	uint64_t	x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
test_unique(void **state)
{
	pid_t	pid[2];
	size_t	i, same = 0;
	int	status;

	(void)state;
	seen = mmap(NULL, TOTAL * sizeof(*seen), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANON, -1, 0);
	assert_ptr_not_equal(seen, MAP_FAILED);
	assert_int_not_equal(make_one(), 0);	/* the generator has a state */
	for (i = 0; i < 2; i++) {
		if ((pid[i] = fork()) == 0)
			make_half(seen + i * 2 * EACH);
		assert_int_not_equal(pid[i], -1);
	}
	for (i = 0; i < 2; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	qsort(seen, TOTAL, sizeof(*seen), compare);
	assert_int_not_equal(seen[0], 0);
	for (i = 1; i < TOTAL; i++)
		same += seen[i] == seen[i - 1];
	assert_int_equal(same, 0);
	munmap(seen, TOTAL * sizeof(*seen));
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_unique),
	};

	return cmocka_run_group_tests_name("R5322-3.6.4-a Message-IDs", tests,
	    NULL, NULL);
}

/*
 * What msactl prints of logins: who is logged in, bans, grants of addresses,
 * tests. Runs in msactl, called by output.c, whose rules hold: no octet that
 * came from outside reaches the terminal but as printable ASCII.
 */
#include <sys/types.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "msactl/output.h"
#include "msactl/output_login.h"

static bool	 refused;

void
output_result(const json_t *o)
{
	const char	*result = json_string_value(json_object_get(o,
	    "result"));

	if (result != NULL)
		refused = strcmp(result, "ok") != 0 &&
		    strcmp(result, "accepted") != 0;
}

bool
output_refused(void)
{
	return refused;
}

/* --- show users --- */

static void
head_users(void)
{
	printf("%-20s %-16s %-24s %-14s %6s %s\n", "USER", "TENANT", "CLIENT",
	    "MECHANISM", "SINCE", "BLOCK LABEL");
}

static void
print_user(const json_t *o)
{
	char	 age[32];

	output_column(output_str(o, "user"), 20);
	output_column(output_str(o, "tenant"), 16);
	output_column(output_str(o, "client"), 24);
	output_column(output_str(o, "mechanism"), 14);
	printf("%6s ", output_duration(age, sizeof(age),
	    time(NULL) - output_num(o, "since")));
	output_column(output_str(o, "block"), 0);
	output_text(stdout, output_str(o, "label"));
	putchar('\n');
}

/* --- show bans --- */

static void
head_bans(void)
{
	printf("%-44s %8s %8s %s\n", "BANNED OR LOCKED", "LEFT", "FAILURES",
	    "WHY");
}

/* A user is refused where he is not known, for as long as failures count. */
static void
print_locked(const json_t *o)
{
	output_column(output_str(o, "user"), 44);
	printf("%8s %8lld auth ", "-", output_num(o, "failures"));
	output_text(stdout, output_str(o, "block"));
	printf(", %lld refused\n", output_num(o, "refused"));
}

static void
print_ban(const json_t *o)
{
	bool	 manual = json_is_true(json_object_get(o, "manual"));
	char	 left[32];

	if (json_object_get(o, "user") != NULL) {
		print_locked(o);
		return;
	}
	output_column(output_str(o, "network"), 44);
	printf("%8s %8lld %s\n", output_num(o, "seconds") == 0 ? "-" :
	    output_duration(left, sizeof(left), output_num(o, "seconds")),
	    output_num(o, "failures"), manual ? "msactl" : "failed logins");
}

/* --- show grants --- */

static void
head_grants(void)
{
	printf("%-40s %-20s %-12s %8s %8s\n", "ADDRESS", "USER", "BLOCK",
	    "LEFT", "SESSIONS");
}

static void
print_grant(const json_t *o)
{
	char	 left[32];

	output_column(output_str(o, "address"), 40);
	output_column(output_str(o, "user"), 20);
	output_column(output_str(o, "block"), 12);
	printf("%8s %8lld\n", output_duration(left, sizeof(left),
	    output_num(o, "seconds")), output_num(o, "sessions"));
}

/* --- tests --- */

/* In this order; what is not there has nothing to say. */
static void
print_facts(const json_t *o)
{
	static const char *const names[] = {
		"result", "reason", "user", "label", "block", "backend",
		"cached", "banned", "login-refused", "granted", "own",
		"sender", "rule", "relay", "recipient", "operator"
	};
	size_t	 i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (*output_str(o, names[i]) == '\0')
			continue;
		printf("%-14s ", names[i]);
		output_text(stdout, output_str(o, names[i]));
		putchar('\n');
	}
}

static const struct {
	enum action	 action;
	void		(*head)(void);
	void		(*print)(const json_t *);
} forms[] = {
	{ ACTION_USERS, head_users, print_user },
	{ ACTION_BANS, head_bans, print_ban },
	{ ACTION_GRANTS, head_grants, print_grant },
	{ ACTION_TEST_AUTH, NULL, print_facts },
	{ ACTION_TEST_SESSION, NULL, print_facts }
};

void
output_login(const json_t *o, const struct command *cmd)
{
	static bool	 head;
	size_t		 i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (forms[i].action != cmd->action)
			continue;
		if (!head && forms[i].head != NULL)
			forms[i].head();
		head = true;
		forms[i].print(o);
	}
}

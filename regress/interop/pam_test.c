/*
 * A PAM module that does what a test wants of one, good or bad: compiled by
 * pam.t and named by its path in a service file. Arguments:
 * password=FILE  the octets of the file are the password, whoever the user is
 * prompts=N      ask N times; N of 0: not at all, and anybody is let in
 * echo           ask with echo
 * ms=N           take that long
 * hang=FILE      while the file is there, never come back
 * child=FILE     and have a process that never ends, too; its id into FILE
 * crash=FILE     likewise, but die
 * user=NAME      the user is called NAME from now on
 * delay=N        ask for a fail delay of N ms
 * auth=N acct=N  what the functions return when all is well
 * log=FILE       add a line for each call: what, user, rhost, tty, service,
 *                flags, environment
 */
#include <security/pam_appl.h>
#include <security/pam_modules.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char	**environ;

int	 pam_sm_authenticate(pam_handle_t *, int, int, const char **);
int	 pam_sm_setcred(pam_handle_t *, int, int, const char **);
int	 pam_sm_acct_mgmt(pam_handle_t *, int, int, const char **);

static const char *
option(int argc, const char **argv, const char *name)
{
	size_t	 len = strlen(name);
	int	 i;

	for (i = 0; i < argc; i++) {
		if (strncmp(argv[i], name, len) == 0 && argv[i][len] == '=')
			return argv[i] + len + 1;
		if (strcmp(argv[i], name) == 0)
			return "";
	}
	return NULL;
}

static int
number(int argc, const char **argv, const char *name, int otherwise)
{
	const char	*text = option(argc, argv, name);

	return text != NULL ? (int)strtol(text, NULL, 10) : otherwise;
}

static const char *
item(pam_handle_t *pamh, int type)
{
	const void	*value = NULL;

	if (pam_get_item(pamh, type, &value) != PAM_SUCCESS || value == NULL)
		return "";
	return value;
}

static void
note(pam_handle_t *pamh, int flags, int argc, const char **argv,
    const char *what)
{
	const char	*path = option(argc, argv, "log");
	char		**env;
	FILE		*f;

	if (path == NULL || (f = fopen(path, "a")) == NULL)
		return;
	fprintf(f, "%s user=%s rhost=%s tty=%s service=%s flags=%x env=",
	    what, item(pamh, PAM_USER), item(pamh, PAM_RHOST),
	    item(pamh, PAM_TTY), item(pamh, PAM_SERVICE), (unsigned)flags);
	for (env = environ; env != NULL && *env != NULL; env++)
		fprintf(f, "%s;", *env);
	fputc('\n', f);
	fclose(f);
}

/* As a module that runs a helper has one. */
static void
child(const char *path)
{
	pid_t	 pid;
	FILE	*f;

	if (path == NULL || (f = fopen(path, "a")) == NULL)
		return;
	if ((pid = fork()) == 0) {
		for (;;)
			pause();
	}
	fprintf(f, "%d\n", (int)pid);
	fclose(f);
}

static void
misbehave(int argc, const char **argv)
{
	const char	*path;
	struct timespec	 ts;
	int		 ms = number(argc, argv, "ms", 0);

	path = option(argc, argv, "crash");
	if (path != NULL && access(path, F_OK) == 0)
		raise(SIGKILL);
	path = option(argc, argv, "hang");
	if (path != NULL && access(path, F_OK) == 0)
		child(option(argc, argv, "child"));
	while (path != NULL && access(path, F_OK) == 0)
		pause();
	ts.tv_sec = ms / 1000;
	ts.tv_nsec = ms % 1000 * 1000000L;
	while (nanosleep(&ts, &ts) == -1 && errno == EINTR)
		;
}

static int
ask(pam_handle_t *pamh, bool echo, char **answer)
{
	const struct pam_message	 msg = {
		echo ? PAM_PROMPT_ECHO_ON : PAM_PROMPT_ECHO_OFF, "Password: "
	}, *msgs = &msg;
	const struct pam_conv		*conv = NULL;
	const void			*value = NULL;
	struct pam_response		*resp = NULL;
	int				 rc;

	if (pam_get_item(pamh, PAM_CONV, &value) != PAM_SUCCESS)
		return PAM_SYSTEM_ERR;
	conv = value;
	if ((rc = conv->conv(1, &msgs, &resp, conv->appdata_ptr)) !=
	    PAM_SUCCESS)
		return rc;
	*answer = resp->resp;
	free(resp);
	return *answer == NULL ? PAM_CONV_ERR : PAM_SUCCESS;
}

static bool
right(const char *path, const char *answer)
{
	char	 buf[8192];
	size_t	 n;
	FILE	*f;

	if (path == NULL)
		return true;
	if ((f = fopen(path, "r")) == NULL)
		return false;
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	return n == strlen(answer) && memcmp(buf, answer, n) == 0;
}

int
pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc,
    const char **argv)
{
	const char	*name = option(argc, argv, "user");
	char		*answer = NULL;
	bool		 good = true;
	int		 i, rc;

	note(pamh, flags, argc, argv, "auth");
	misbehave(argc, argv);
	for (i = 0; i < number(argc, argv, "prompts", 1); i++) {
		rc = ask(pamh, option(argc, argv, "echo") != NULL, &answer);
		if (rc != PAM_SUCCESS)
			return rc;
		good = good && right(option(argc, argv, "password"), answer);
		free(answer);
	}
	if (!good) {
		pam_fail_delay(pamh,
		    (unsigned)number(argc, argv, "delay", 0) * 1000);
		return PAM_AUTH_ERR;
	}
	if (name != NULL)
		pam_set_item(pamh, PAM_USER, name);
	return number(argc, argv, "auth", PAM_SUCCESS);
}

int
pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	note(pamh, flags, argc, argv, "setcred");
	return PAM_SUCCESS;
}

int
pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	note(pamh, flags, argc, argv, "acct");
	return number(argc, argv, "acct", PAM_SUCCESS);
}

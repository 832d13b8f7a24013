/*
 * msad-pam: one PAM conversation at a time, and nothing else.
 *
 * The only privileged process that a user's input reaches: it stays root,
 * because modules read shadow files and start helpers. It has no network
 * socket and no spool. msad-auth sends a request, and gets a verdict, the user
 * as PAM knows it and the delay that modules asked for (which is not slept
 * here, or it would block others). msad-auth is not trusted: the service must
 * be one that the configuration names.
 *
 * PAM calls block. A conversation that hangs is ended from outside: msad-auth
 * asks msad to kill this worker. After some conversations the worker ends by
 * itself and msad starts a fresh one, so that what modules leak goes away.
 */

#include <sys/types.h>

#include <security/pam_appl.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/verdict.h"
#include "msad/pam/modules.h"

#define NAME_SIZE		256	/* user, service, host, tty, with NUL */
#define FLUSH_MS		1000
#define PAM_NICE		3

struct request {
	char		 service[NAME_SIZE];
	char		 user[NAME_SIZE];
	char		 rhost[NAME_SIZE];
	char		 tty[NAME_SIZE];
	char		 password[IPC_PASSWORD_MAX + 1];
	bool		 account;	/* checks of the account alone */
	bool		 answered;	/* the one hidden prompt */
	bool		 refused;	/* a prompt that we cannot answer */
};

struct result {
	enum verdict	 verdict;
	char		 user[NAME_SIZE];
	char		 reason[256];
};

static struct ipc	*auth;
static unsigned int	 left;		/* conversations, once started */
static bool		 started;
static unsigned int	 fail_delay;	/* us, the longest a module asked for */

/* --- the conversation --- */

/*
 * Answer one message. Only the first hidden prompt gets the password; what
 * asks for more cannot be answered by a mail program.
 */
static int
answer(struct request *req, const struct pam_message *msg,
    struct pam_response *resp)
{
	switch (msg->msg_style) {
	case PAM_PROMPT_ECHO_OFF:
		if (req->answered || req->account)
			break;
		req->answered = true;
		resp->resp = strdup(req->password);
		return resp->resp == NULL ? PAM_BUF_ERR : PAM_SUCCESS;
	case PAM_TEXT_INFO:
	case PAM_ERROR_MSG:
		return PAM_SUCCESS;
	}
	req->refused = true;
	return PAM_CONV_ERR;
}

static void
responses_free(struct pam_response *resp, int n)
{
	int	 i;

	for (i = 0; i < n; i++)
		if (resp[i].resp != NULL)
			freezero(resp[i].resp, strlen(resp[i].resp));
	free(resp);
}

/* PAM's call-back; the module frees what it gets with PAM_SUCCESS. */
static int
converse(int n, const struct pam_message **msgs, struct pam_response **out,
    void *arg)
{
	struct pam_response	*resp;
	int			 i, rc;

	*out = NULL;
	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	if ((resp = calloc((size_t)n, sizeof(*resp))) == NULL)
		return PAM_BUF_ERR;
	for (i = 0; i < n; i++) {
		if ((rc = answer(arg, msgs[i], &resp[i])) != PAM_SUCCESS) {
			responses_free(resp, n);
			return rc;
		}
	}
	*out = resp;
	return PAM_SUCCESS;
}

#ifdef PAM_FAIL_DELAY
/* Called by PAM in place of sleeping. */
static void
note_fail_delay(int status, unsigned int usec, void *arg)
{
	(void)arg;
	if (status != PAM_SUCCESS && usec > fail_delay)
		fail_delay = usec;
}

static int
set_fail_delay(pam_handle_t *pamh)
{
	void	(*fn)(int, unsigned int, void *) = note_fail_delay;

	return pam_set_item(pamh, PAM_FAIL_DELAY,
	    *(const void **)(void *)&fn);
}
#else
static int
set_fail_delay(pam_handle_t *pamh)
{
	(void)pamh;
	return PAM_SUCCESS;
}
#endif

/* --- verdicts (CONFORMANCE P-pam-1, P-pam-2) --- */

/* Does this say nothing about the user, only that PAM could not tell? */
static bool
is_trouble(int rc)
{
	switch (rc) {
	case PAM_AUTHINFO_UNAVAIL:
	case PAM_SYSTEM_ERR:
	case PAM_SERVICE_ERR:
	case PAM_OPEN_ERR:
	case PAM_SYMBOL_ERR:
	case PAM_MODULE_UNKNOWN:
	case PAM_BUF_ERR:
	case PAM_CONV_ERR:	/* no memory; what was refused is known */
	case PAM_CRED_INSUFFICIENT:
	case PAM_ABORT:
		return true;
	default:
		return false;
	}
}

static enum verdict
authenticate_verdict(int rc)
{
	if (rc == PAM_SUCCESS)
		return VERDICT_OK;
	if (rc == PAM_NEW_AUTHTOK_REQD)
		return VERDICT_AUTH_EXPIRED;
	return is_trouble(rc) ? VERDICT_AUTH_BUSY : VERDICT_AUTH_FAILED;
}

/*
 * The password was right. PAM_AUTH_ERR is what is left of PAM_ACCT_EXPIRED
 * behind Debian's common-account, which ends in pam_deny.
 */
static enum verdict
account_verdict(int rc)
{
	switch (rc) {
	case PAM_SUCCESS:
		return VERDICT_OK;
	case PAM_ACCT_EXPIRED:
	case PAM_PERM_DENIED:
	case PAM_AUTH_ERR:
		return VERDICT_AUTH_DISABLED;
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_AUTHTOK_EXPIRED:
	case PAM_CRED_EXPIRED:
		return VERDICT_AUTH_EXPIRED;
	default:
		return is_trouble(rc) ? VERDICT_AUTH_BUSY :
		    VERDICT_AUTH_FAILED;
	}
}

/* --- one request --- */

static int
set_items(pam_handle_t *pamh, const struct request *req)
{
	int	 rc;

	if ((rc = pam_set_item(pamh, PAM_RHOST, req->rhost)) != PAM_SUCCESS ||
	    (rc = pam_set_item(pamh, PAM_TTY, req->tty)) != PAM_SUCCESS)
		return rc;
	return set_fail_delay(pamh);
}

/* Modules may map the user to another name; that one counts. */
static int
read_user_back(pam_handle_t *pamh, struct result *result)
{
	const void	*item = NULL;
	int		 rc;

	rc = pam_get_item(pamh, PAM_USER, &item);
	if (rc != PAM_SUCCESS || item == NULL || *(const char *)item == '\0')
		return PAM_SYSTEM_ERR;
	if (strlcpy(result->user, item, sizeof(result->user)) >=
	    sizeof(result->user))
		return PAM_SYSTEM_ERR;
	return PAM_SUCCESS;
}

static int
decide(pam_handle_t *pamh, const struct request *req, struct result *result)
{
	const int	 flags = PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK;
	const char	*step = "set up";
	int		 rc;

	result->verdict = VERDICT_AUTH_BUSY;
	if ((rc = set_items(pamh, req)) != PAM_SUCCESS)
		goto done;
	step = "authentication";
	if (!req->account) {
		rc = pam_authenticate(pamh, flags);
		result->verdict = authenticate_verdict(rc);
		if (rc != PAM_SUCCESS)
			goto done;
	}
	step = "account";
	rc = pam_acct_mgmt(pamh, flags);
	result->verdict = account_verdict(rc);
	if (rc != PAM_SUCCESS)
		goto done;
	step = "user";
	if ((rc = read_user_back(pamh, result)) != PAM_SUCCESS)
		result->verdict = VERDICT_AUTH_BUSY;
done:
	if (req->refused) {
		result->verdict = VERDICT_AUTH_FAILED;
		snprintf(result->reason, sizeof(result->reason),
		    "%s: PAM asked for more than a password", step);
	} else if (rc != PAM_SUCCESS)
		snprintf(result->reason, sizeof(result->reason), "%s: %s",
		    step, pam_strerror(pamh, rc));
	return rc;
}

/* msad-auth may use the services of the configuration, no others. */
static bool
service_configured(const char *service)
{
	const struct conf	*conf = child_conf();
	const struct conf_auth	*auth_block;

	if (conf == NULL)
		return false;
	TAILQ_FOREACH(auth_block, &conf->auths, entry)
		if (auth_block->pam_service != NULL &&
		    strcmp(auth_block->pam_service, service) == 0)
			return true;
	return false;
}

static void
run(struct request *req, struct result *result)
{
	struct pam_conv	 conv = { converse, req };
	pam_handle_t	*pamh = NULL;
	int		 rc;

	fail_delay = 0;
	if (!service_configured(req->service)) {
		log_warn("event=pam-service service=%s "
		    "reason=\"not configured\"", log_q(req->service));
		strlcpy(result->reason, "service not configured",
		    sizeof(result->reason));
		return;
	}
	modules_keep(req->service);
	rc = pam_start(req->service, req->user, &conv, &pamh);
	if (rc != PAM_SUCCESS) {
		strlcpy(result->reason, "cannot start PAM",
		    sizeof(result->reason));
		return;
	}
	rc = decide(pamh, req, result);
	pam_end(pamh, rc);	/* wipes its copy of the password */
}

/* --- the channel to msad-auth --- */

static int
read_request(struct ipc_msg *msg, struct request *req)
{
	struct ipc_reader	 r;
	struct slice		 password = SLICE("", 0);

	memset(req, 0, sizeof(*req));
	req->account = msg->type == IPC_PAM_ACCOUNT;
	ipc_reader(&r, msg);
	if (ipc_copy_str(&r, req->service, sizeof(req->service)) == -1 ||
	    ipc_copy_str(&r, req->user, sizeof(req->user)) == -1)
		return -1;
	if (!req->account)
		password = ipc_get_bytes(&r);
	if (ipc_copy_str(&r, req->rhost, sizeof(req->rhost)) == -1 ||
	    ipc_copy_str(&r, req->tty, sizeof(req->tty)) == -1 ||
	    !ipc_done(&r))
		return -1;
	if (req->user[0] == '\0' || (password.len == 0 && !req->account) ||
	    password.len >= sizeof(req->password) ||
	    memchr(password.p, '\0', password.len) != NULL)
		return -1;
	if (password.len > 0)
		memcpy(req->password, password.p, password.len);
	return 0;
}

/*
 * How many more; at 0 this worker ends and is replaced. Written at once: msad
 * may have told us to end meanwhile, and the verdict before it must get out.
 */
static void
send_idle(struct ipc *ch)
{
	ipc_start(ch, IPC_PAM_IDLE, 0);
	ipc_put_u16(ch, (uint16_t)left);
	ipc_send(ch);
	ipc_flush(ch, FLUSH_MS);
	if (left == 0)
		child_exit(0);
}

static int
on_request(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	static struct request	 req;
	struct result		 result = { .verdict = VERDICT_AUTH_BUSY };

	(void)arg;
	if (left == 0)
		return 0;	/* sent before it read that we end */
	if (read_request(msg, &req) == -1) {
		explicit_bzero(&req, sizeof(req));
		return -1;
	}
	/* PAM may take long: leave no copy in the receive buffer meanwhile. */
	explicit_bzero((void *)(uintptr_t)msg->data, msg->len);
	run(&req, &result);
	explicit_bzero(&req, sizeof(req));

	ipc_start(ch, IPC_PAM_RESULT, msg->sid);
	ipc_put_u8(ch, (uint8_t)result.verdict);
	ipc_put_str(ch, result.user);
	ipc_put_u32(ch, fail_delay);
	ipc_put_str(ch, result.reason);
	ipc_send(ch);
	left--;
	send_idle(ch);
	return 0;
}

static const struct ipc_handler auth_handlers[] = {
	{ IPC_PAM_REQUEST, on_request },
	{ IPC_PAM_ACCOUNT, on_request },
	{ 0, NULL }
};

/* A new msad-auth comes on a fresh channel; one that broke the rules not. */
static void
auth_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)arg;
	if (ch == auth)
		auth = NULL;
	ipc_free(ch);
	if (end == IPC_VIOLATION)
		child_exit(1);
}

static int
pam_channel(enum ipc_role peer, uint32_t index, uint64_t epoch,
    struct slice name, int fd)
{
	(void)name;
	if (peer != ROLE_AUTH) {
		close(fd);
		return -1;
	}
	ipc_free(auth);
	auth = ipc_new(fd, ROLE_PAM, ROLE_AUTH, auth_handlers, auth_closed,
	    NULL);
	if (auth == NULL)
		return -1;
	ipc_set_peer(auth, index, epoch);
	if (started)
		send_idle(auth);
	return 0;
}

/*
 * The configuration is there: from now on requests can be judged. Hashing
 * passwords would take all the processor there is; sessions that have logged
 * in go first.
 */
static void
pam_started(void)
{
	errno = 0;
	if (nice(PAM_NICE) == -1 && errno != 0)
		log_warn("event=pam-priority error=%s", log_q(strerror(errno)));
	started = true;
	left = child_conf()->pool.recycle;
	if (auth != NULL)
		send_idle(auth);
}

static void
pam_commit(struct conf *conf, uint32_t generation)
{
	(void)conf;
	(void)generation;
	modules_drop();
}

static const struct child pam_child = {
	.role = ROLE_PAM,
	.name = "pam",
	.conf_commit = pam_commit,
	.channel = pam_channel,
	.start = pam_started
};

int
main(int argc, char **argv)
{
	return child_main(&pam_child, argc, argv);
}

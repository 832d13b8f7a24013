# Tokens and client certificates as mail programs use them: curl and msmtp
# with OAUTHBEARER, XOAUTH2 and EXTERNAL, gsasl and Python with EXTERNAL; each
# with what is right and what is wrong. The message must be there, or the
# program must report the failure.
#
# Debian packages: curl msmtp gsasl python3. A program that is not installed is
# skipped by name.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../smtp";
use MIME::Base64;
use Msad;
use Msad::Jwt;
use Msad::Pki;
use Test::More;

my $port = free_port();
my $tls_port = free_port();
my ($old_port, $old_tls_port) = (free_port(), free_port());
my $d = Msad->new(start => 0);
my $dir = $d->{dir};
my $key = jwt_key($dir, 'ES256', 'one');
my $ca = Msad::Pki->new("$dir/clients", 'Client CA');
my %good = $ca->cert('ann', san => 'email:ann@example.org', key => '-newkey rsa:2048');
my %revoked = $ca->cert('gone', san => 'email:ann@example.org', key => '-newkey rsa:2048');
$ca->revoke('gone');
$ca->crl;
spew("$dir/keys.json", jwt_set($key), 0644);
$d->{extra} = <<"CONF";
limit login { address 0, network 0, user 0, user-address 0, delay 0s }
auth "old" {
	oauth {
		keys file:"$dir/keys.json"
		issuer "https://id.example.org/"
		audience "msad"
	}
	mech { xoauth2 }
	realm "example.org"
}
listen on { 127.0.0.1, ::1 } port $old_port starttls pki "main" auth "old"
listen on { 127.0.0.1, ::1 } port $old_tls_port tls pki "main" auth "old"
auth "id" {
	oauth {
		keys file:"$dir/keys.json"
		issuer "https://id.example.org/"
		audience "msad"
		scope "mail.send"
		host "localhost"
	}
	client-certificates { ca file:"$ca->{dir}/ca.pem" crl file:"$ca->{dir}/crl.pem" user email }
	mech { external oauthbearer xoauth2 }
	realm "example.org"
}
listen on { 127.0.0.1, ::1 } port $port starttls pki "main" auth "id"
listen on { 127.0.0.1, ::1 } port $tls_port tls pki "main" auth "id"
CONF
$d->write_conf;
$d->start;
mkdir "$dir/home";
local $ENV{HOME} = "$dir/home";

my %c = (iss => 'https://id.example.org/', aud => ['msad'], sub => 'x',
    email => 'ann@example.org', scope => 'openid mail.send', exp => time() + 600);
my %token = (right => jwt($key, \%c), expired => jwt($key, { %c, exp => time() - 600 }),
    'of another' => jwt($key, { %c, email => 'bob@example.org' }));

sub installed { my ($p) = @_; return grep { -x "$_/$p" } split(/:/, $ENV{PATH}) }

# Run it with a message of that subject: its exit status and what it said.
sub deliver {
	my ($mark, @cmd) = @_;
	my $in = "$dir/message";
	spew($in, "From: ann\@example.org\r\nTo: someone\@example.net\r\nSubject: $mark\r\n\r\ntext\r\n");
	my $pid = fork() // die;
	if ($pid == 0) {
		open(STDIN, '<', $in);
		open(STDOUT, '>', "$dir/out");
		open(STDERR, '>&', \*STDOUT);
		{ exec('timeout', 60, @cmd); }
		POSIX::_exit(127);
	}
	waitpid($pid, 0);
	return ($? >> 8, slurp("$dir/out"));
}

my $serial = 0;
sub works {
	my ($name, @cmd) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $mark = 'mark' . ++$serial;
	my ($status, $said) = deliver($mark, @cmd);
	is($status, 0, "$name: the program is content") or diag($said);
	is(scalar($d->mails_wait(1, qr/^Subject: $mark\r?$/m)), 1, "$name: the message is there");
}

sub fails {
	my ($name, $why, @cmd) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $mark = 'mark' . ++$serial;
	my $n = length($d->log);
	my ($status, $said) = deliver($mark, @cmd);
	isnt($status, 0, "$name: the program reports a failure") or diag($said);
	ok(wait_for { substr($d->log, $n) =~ $why }, "$name: the log says why") or diag($said . substr($d->log, $n));
	is(scalar(grep { /^Subject: $mark\b/m } $d->mails), 0, "$name: no message");
}

sub curl {
	my ($tls, @more) = @_;
	# with a token curl takes OAUTHBEARER wherever it is offered
	my $old = grep { $_ eq 'AUTH=XOAUTH2' } @more;
	my $to = $tls ? 'smtps://localhost:' . ($old ? $old_tls_port : $tls_port) : 'smtp://localhost:' . ($old ? $old_port : $port);
	return ('curl', '-sS', '--max-time', 30, '--url', $to,
	    '--ssl-reqd', '--cacert', "$dir/ca.pem", '--mail-from', 'ann@example.org', '--mail-rcpt', 'someone@example.net',
	    '--upload-file', "$dir/message", @more);
}

sub msmtp {
	my ($tls, $text) = @_;
	my $p = $tls ? $tls_port : $port;
	my $starttls = $tls ? 'off' : 'on';
	spew("$dir/msmtp.rc", <<"RC", 0600);
account default
host localhost
port $p
tls on
tls_starttls $starttls
tls_trust_file $dir/ca.pem
from ann\@example.org
$text
RC
	return ('msmtp', '-C', "$dir/msmtp.rc", 'someone@example.net');
}

for my $tls (0, 1) {
	my $how = $tls ? 'TLS' : 'STARTTLS';
	subtest "curl, $how" => sub {
		plan(skip_all => 'no curl') if !installed('curl');
		for my $mech ('OAUTHBEARER', 'XOAUTH2') {
			my @as = ('--user', 'ann@example.org', '--login-options', "AUTH=$mech", '--oauth2-bearer');
			works("issue C.1 curl $mech", curl($tls, @as, $token{right}));
			fails("issue C.1 curl $mech expired", qr/auth-failed .*mech=$mech .*the token has expired/, curl($tls, @as, $token{expired}));
			fails("issue C.1 curl $mech of another user", qr/auth-failed .*mech=$mech .*of another user/, curl($tls, @as, $token{'of another'}));
			fails("issue C.1 curl $mech truncated", qr/auth-failed .*mech=$mech .*token/, curl($tls, @as, substr($token{right}, 0, -9)));
		}
		my @as = ('--user', 'ann@example.org:', '--login-options', 'AUTH=EXTERNAL');
		works('issue C.1 curl EXTERNAL', curl($tls, @as, '--cert', $good{SSL_cert_file}, '--key', $good{SSL_key_file}));
		fails('issue C.1 curl EXTERNAL revoked', qr/client-certificate result=refused .*was revoked/,
		    curl($tls, @as, '--cert', $revoked{SSL_cert_file}, '--key', $revoked{SSL_key_file}));
		fails('issue C.1 curl EXTERNAL without a certificate', qr/event=disconnect/, curl($tls, @as));
	};
	subtest "msmtp, $how" => sub {
		plan(skip_all => 'no msmtp') if !installed('msmtp');
		for my $mech ('oauthbearer', 'xoauth2') {
			my $rc = "auth $mech\nuser ann\@example.org\npasswordeval printf %s";
			works("issue C.1 msmtp $mech", msmtp($tls, "$rc $token{right}"));
			fails("issue C.1 msmtp $mech expired", qr/auth-failed .*the token has expired/, msmtp($tls, "$rc $token{expired}"));
		}
		my $rc = "auth external\nuser ann\@example.org\n";
		works('issue C.1 msmtp EXTERNAL', msmtp($tls, "${rc}tls_cert_file $good{SSL_cert_file}\ntls_key_file $good{SSL_key_file}"));
		fails('issue C.1 msmtp EXTERNAL revoked', qr/client-certificate result=refused .*was revoked/,
		    msmtp($tls, "${rc}tls_cert_file $revoked{SSL_cert_file}\ntls_key_file $revoked{SSL_key_file}"));
		fails('issue C.1 msmtp EXTERNAL without a certificate', qr/event=disconnect/, msmtp($tls, $rc));
	};
}

subtest 'gsasl' => sub {
	plan(skip_all => 'no gsasl') if !installed('gsasl');
	my @gsasl = ('gsasl', '--smtp', '--connect', "localhost:$port", '--starttls', '--mechanism', 'EXTERNAL',
	    '--x509-ca-file', "$dir/ca.pem", '-z', 'ann@example.org', '--application-data');
	my $n = length($d->log);
	my ($status, $said) = deliver('gsasl', @gsasl, '--x509-cert-file', $good{SSL_cert_file}, '--x509-key-file', $good{SSL_key_file});
	ok($d->log_wait(qr/event=auth-ok .*mech=EXTERNAL/), 'issue C.1 gsasl EXTERNAL') or diag($said);
	like($said, qr/235 2\.7\.0/, 'issue C.1 gsasl EXTERNAL: it read so');
};

# smtplib has no EXTERNAL of its own; this is how its documentation adds one.
subtest 'python' => sub {
	plan(skip_all => 'no python3') if !installed('python3');
	spew("$dir/external.py", <<'PY');
import smtplib, ssl, sys
port, ca, cert, key = sys.argv[1:]
ctx = ssl.create_default_context(cafile=ca)
ctx.load_cert_chain(cert, key)
s = smtplib.SMTP("localhost", int(port))
s.starttls(context=ctx)
s.ehlo()
assert "EXTERNAL" in s.esmtp_features["auth"], s.esmtp_features["auth"]
s.auth("EXTERNAL", lambda challenge=None: "ann@example.org")
s.sendmail("ann@example.org", ["someone@example.net"], sys.stdin.read())
PY
	works('issue C.1 smtplib EXTERNAL', 'python3', "$dir/external.py", $port, "$dir/ca.pem", $good{SSL_cert_file}, $good{SSL_key_file});
	fails('issue C.1 smtplib EXTERNAL revoked', qr/was revoked/, 'python3', "$dir/external.py", $port, "$dir/ca.pem",
	    $revoked{SSL_cert_file}, $revoked{SSL_key_file});
};

$d->done;
done_testing;

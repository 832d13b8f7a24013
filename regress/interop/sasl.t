# Verifiers that other programs make, and clients of other people that log in
# by them with each mechanism they know; right and wrong passwords.
#
# Debian packages: gsasl dovecot-core whois msmtp swaks curl python3
# python3-aiosasl. A program that is not installed is skipped by name.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../smtp";
use Msad;
use Test::More;

my $pw = 'pencil sharpener';
my $d = Msad->new(start => 0);
my $dir = $d->{dir};
my $file = "$dir/passwd";
mkdir "$dir/home";
local $ENV{HOME} = "$dir/home";

sub has {
	my ($p) = @_;
	return scalar grep { -x "$_/$p" } split(/:/, $ENV{PATH}), '/usr/sbin';
}

# Exit status and output of a program, at most a minute.
sub out {
	my (@cmd) = @_;
	open(my $p, '-|', 'timeout', 60, 'sh', '-c', 'exec "$@" 2>&1 </dev/null',
	    'sh', @cmd) or die;
	local $/;
	my $text = <$p> // '';
	close($p);
	return ($? >> 8, $text);
}

# --- verifiers ---

my %made;	# user => verifier
$made{ours} = do {
	my $v = `printf '%s\\n' '$pw' | $Msad::BUILD/msactl passwd verifier scram-sha-1`;
	chomp $v;
	$v;
};
if (has('doveadm')) {
	for my $s (qw(SCRAM-SHA-256 SCRAM-SHA-1 SHA512-CRYPT SHA256-CRYPT
	    BLF-CRYPT CRYPT)) {
		my ($code, $v) = out('doveadm', 'pw', '-s', $s, '-p', $pw);
		$made{lc "doveadm-$s"} = $v =~ s/\n//r if $code == 0;
	}
}
if (has('mkpasswd')) {
	for my $m (qw(yescrypt gost-yescrypt scrypt bcrypt sha512crypt
	    sha256crypt)) {
		my ($code, $v) = out('mkpasswd', '-m', $m, $pw);
		$made{"mkpasswd-$m"} = $v =~ s/\n//r if $code == 0;
	}
}
if (has('gsasl')) {
	for my $m (qw(SCRAM-SHA-256 SCRAM-SHA-1)) {
		my ($code, $v) = out('gsasl', '-k', '-m', $m, '-p', $pw);
		$made{lc "gsasl-$m"} = $v =~ s/\n//r if $code == 0;
	}
}
spew($file, join('', map { "$_:$made{$_}\n" } sort keys %made), 0600);
my $old_port = free_port();
$d->{extra} = <<"CONF";
limit login off
auth "file" { passwd file:"$file" }
auth "all" {
	passwd file:"$file"
	mech { plain, login, scram-sha-1, scram-sha-1-plus, scram-sha-256,
	    scram-sha-256-plus }
}
listen on 127.0.0.1 port $old_port starttls pki "main" auth "all"
CONF
$d->write_conf;
$d->start;

subtest 'verifiers of other programs (PLAIN)' => sub {
	for my $p (qw(doveadm mkpasswd gsasl)) {
		SKIP: {
			skip "$p is not installed", 1 unless has($p);
			ok((grep { /^$p-/ } keys %made), "$p made some");
		}
	}
	for my $user (sort keys %made) {
		my $c = Msad::Smtp->connect($old_port);
		$c->greeting;
		$c->cmd('EHLO x');
		$c->cmd('STARTTLS');
		$c->start_tls(SSL_ca_file => "$dir/ca.pem");
		$c->cmd('EHLO x');
		is($c->auth_plain($user, "$pw!")->{code}, 535, "$user, wrong");
		is($c->auth_plain($user, $pw)->{code}, 235, $user);
		$c->quit;
	}
};

# --- clients ---

# Client => [ program, mechanisms, what to run given mechanism and password ]
my @clients = (
	[ 'gsasl', [qw(PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS SCRAM-SHA-1
	    SCRAM-SHA-1-PLUS)], sub {
		my ($m, $p) = @_;
		return ('gsasl', '--smtp', '--connect', "localhost:$old_port",
		    '--starttls', '--x509-ca-file', "$dir/ca.pem", '-m', $m,
		    '-a', 'ours', '-p', $p, $m =~ /PLUS/ ? () : '--no-cb');
	} ],
	[ 'msmtp', [qw(PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-1)], sub {
		my ($m, $p) = @_;
		my $auth = lc $m;
		spew("$dir/msmtprc", <<"RC", 0600);
account default
host localhost
port $old_port
tls on
tls_starttls on
tls_trust_file $dir/ca.pem
auth $auth
user ours
password "$p"
from ours\@mail.example.org
RC
		spew("$dir/mail", "From: ours\@mail.example.org\nSubject: x\n\ny\n");
		return ('sh', '-c', "exec msmtp -C $dir/msmtprc a\@b.example <$dir/mail");
	} ],
	[ 'swaks', [qw(PLAIN LOGIN)], sub {
		my ($m, $p) = @_;
		return ('swaks', '--server', "localhost:$old_port", '-tls',
		    '--tls-ca-path', "$dir/ca.pem", '-a', $m, '-au', 'ours',
		    '-ap', $p, '--from', 'ours@mail.example.org', '--to',
		    'a@b.example', '--quit-after', 'AUTH');
	} ],
	[ 'curl', [qw(PLAIN LOGIN)], sub {
		my ($m, $p) = @_;
		spew("$dir/mail", "From: ours\@mail.example.org\r\n\r\ny\r\n");
		return ('curl', '-sS', '--url', "smtp://localhost:$old_port",
		    '--ssl-reqd', '--cacert', "$dir/ca.pem", '--user', "ours:$p",
		    '--login-options', "AUTH=$m", '--mail-from',
		    'ours@mail.example.org', '--mail-rcpt', 'a@b.example', '-T',
		    "$dir/mail");
	} ],
	[ 'python3', [qw(PLAIN LOGIN)], sub {
		my ($m, $p) = @_;
		return ('python3', '-c', <<'PY', $old_port, "$dir/ca.pem", $m, $p);
import smtplib, ssl, sys
s = smtplib.SMTP("localhost", int(sys.argv[1]))
s.starttls(context=ssl.create_default_context(cafile=sys.argv[2]))
s.ehlo()
s.user, s.password = "ours", sys.argv[4]
s.auth(sys.argv[3], s.auth_plain if sys.argv[3] == "PLAIN" else s.auth_login)
s.quit()
PY
	} ],
	[ 'aiosasl', [qw(SCRAM-SHA-256)], sub {
		my ($m, $p) = @_;
		return ('/usr/bin/python3', "$FindBin::Bin/scram_client.py",
		    $old_port, "$dir/ca.pem", 'ours', $p);
	} ],
);

for my $client (@clients) {
	my ($name, $mechs, $build) = @$client;
	subtest $name => sub {
		my $there = $name eq 'aiosasl' ?
		    (out('/usr/bin/python3', '-c', 'import aiosasl'))[0] == 0 :
		    has($name);
		plan(skip_all => "$name is not installed") unless $there;
		for my $m (@$mechs) {
			my $before = () = $d->log =~
			    /event=auth-ok user="ours" .* mech=\Q$m\E /g;
			my ($code, $text) = out($build->($m, $pw));
			is($code, 0, "$m") or diag($text);
			my $after = () = $d->log =~
			    /event=auth-ok user="ours" .* mech=\Q$m\E /g;
			cmp_ok($after, '>', $before, "$m by the log");
			($code) = out($build->($m, "$pw!"));
			isnt($code, 0, "$m with a wrong password");
		}
	};
}

$d->done;
done_testing;

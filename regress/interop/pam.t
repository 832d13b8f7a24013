# PAM for real: yescrypt through pam_unix, pam_faillock, pam_ldap before a
# slapd, pam_radius_auth before a FreeRADIUS, and a module of our own that
# misbehaves. Servers that are stopped or do not answer, calls that hang and
# modules that crash are 454 within a time, and cost other users nothing.
#
# MSAD_DROPS: how many clients leave in the middle (default 300)
#
# Debian packages: slapd nslcd libpam-ldapd freeradius libpam-radius-auth
# libpam0g-dev util-linux
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../smtp", $FindBin::Bin;
use Backends;
use MIME::Base64;
use Msad;
use POSIX qw(_exit);
use Test::More;
use Time::HiRes qw(time);

my %why = (ldap => scalar(Slapd::missing()) // scalar(Nslcd::missing()),
    radius => scalar(Radius::missing()));
Nslcd::alone() if !$why{ldap} && $> == 0;

my $d = Msad->new(start => 0);
my $dir = $d->{dir};
my $u = $d->account(0);
my ($user, $pw) = @$u{qw(name password)};
my $so = "$dir/pam_test.so";
Msad::run("cc -Wall -Wextra -shared -fPIC -o $so $FindBin::Bin/pam_test.c " .
    ">>$dir/cc.log 2>&1");

my ($slapd, $nslcd, $radius);
# A user as nslcd looks for one.
sub ldap_entry {
	my ($uid, $number, $password) = @_;
	return "dn: uid=$uid,dc=example,dc=org\nobjectClass: account\n" .
	    "objectClass: posixAccount\nuid: $uid\ncn: $uid\n" .
	    "uidNumber: $number\ngidNumber: $number\n" .
	    "homeDirectory: /nonexistent\nuserPassword:: " .
	    encode_base64($password, '') . "\n\n";
}
my $utf8 = "p\xc3\xa4ss: w\xc3\xb6rd \xe2\x82\xac";
if (!$why{ldap}) {
	$slapd = Slapd->new(dir => $dir, entries =>
	    ldap_entry('lucy', 23456, 'ldap: pass word') .
	    ldap_entry('luke', 23457, $utf8));
	$nslcd = Nslcd->new(dir => $dir, ldap => $slapd);
}
if (!$why{radius}) {
	$radius = Radius->new(dir => $dir, users =>
	    { ray => 'radius: pass word', rosa => $utf8, rudi => 'r' x 128 });
}

# A listener with TLS for each service: name => lines of the service file.
my %service = (
	unix => "auth required pam_unix.so\naccount required pam_unix.so\n",
	faillock => <<"PAM",
auth required pam_faillock.so preauth dir=$dir/faillock deny=3 unlock_time=600
auth [success=1 default=bad] pam_unix.so
auth [default=die] pam_faillock.so authfail dir=$dir/faillock deny=3 unlock_time=600
auth required pam_permit.so
account required pam_faillock.so dir=$dir/faillock deny=3 unlock_time=600
account required pam_unix.so
PAM
	ldap => "auth required pam_ldap.so\naccount required pam_ldap.so\n",
	radius => "auth required pam_radius_auth.so conf=" .
	    ($radius ? $radius->{conf} : '/nonexistent') . " retry=0\n" .
	    "account required pam_permit.so\n",
	# the example of msad.conf(5)
	both => <<'PAM',
auth [success=done user_unknown=ignore default=die] pam_ldap.so
auth required pam_unix.so
account [success=done user_unknown=ignore default=die] pam_ldap.so
account required pam_unix.so
PAM
	plain => [" password=$dir/password log=$dir/calls delay=900"],
	twice => [" prompts=2 password=$dir/password"],
	echo => [" echo"],
	rename => [" prompts=0 user=$user"],
	expired => [" acct=12"],			# PAM_NEW_AUTHTOK_REQD
	hidden => [" acct=12"],
	trouble => [" auth=9"],				# PAM_AUTHINFO_UNAVAIL
	denied => [" acct=6"],				# PAM_PERM_DENIED
	hang => [" hang=$dir/hang child=$dir/children"],
	crash => [" crash=$dir/crash"],
	slow => [" ms=30 password=$dir/password"],
	cached => [" password=$dir/password log=$dir/cached"],
	cachedunix => "auth required pam_unix.so\naccount required pam_unix.so\n",
	cachedldap => "auth required pam_ldap.so\naccount required pam_ldap.so\n",
	cachedradius => "auth required pam_radius_auth.so conf=" .
	    ($radius ? $radius->{conf} : '/nonexistent') . "\n" .
	    "account required pam_radius_auth.so\n",
	cachedname => [" prompts=0 user=$user"],
);
my (%port, $extra);
for my $name (sort keys %service) {
	my $text = $service{$name};
	$text = "auth required $so$text->[0]\naccount required $so$text->[0]\n"
	    if ref $text;
	spew("/etc/pam.d/$d->{service}-$name", $text, 0644);
	$port{$name} = free_port();
	my $more = ($name eq 'hidden' ? 'expired-password hide ' : '') .
	    ($name =~ /^cached/ ? '' : 'cache off ');
	my $limit = $name eq 'hang' ? ' limit 16' : '';
	$extra .= "auth \"$name\" { pam service \"$d->{service}-$name\"$limit " .
	    "${more}realm \"example.org\" }\n" .
	    "listen on 127.0.0.1 port $port{$name} tls pki \"main\" auth \"$name\"\n";
}
mkdir "$dir/faillock", 0755;
spew("$dir/password", 'right', 0600);
my $time = 6;	# seconds for a conversation
my $pool = 'min 2, max 32, recycle 50';
$d->{extra} = "auth workers { $pool, wait 3s, time ${time}s }\n" .
    "limit login off\n" .
    "limit session { failed-logins 100, per-address 10000, per-network 10000 }\n" .
    $extra;
$d->write_conf;
$d->start;

sub client {
	my ($name) = @_;
	local $d->{port_tls} = $port{$name};
	return $d->client(tls => 'tls');
}

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == $code && $r->{enh} eq $enh, $name)
	    or diag("wanted $code $enh, got: $r->{text}");
}

# One login with a connection of its own; the reply, with the seconds it took.
sub login {
	my ($name, $as, $password, $mech) = @_;
	my $c = client($name) or return { code => 0, enh => '', text => 'no TLS' };
	my $from = time;
	my $r = ($mech // '') eq 'login' ? $c->auth_login($as, $password) :
	    $c->auth_plain($as, $password);
	$r->{took} = time - $from;
	$c->close;
	return $r;
}

# The median time of n logins through a service, in seconds.
sub median {
	my ($name, $n, @who) = @_;
	my @t;
	for (1 .. $n) {
		my $r = login($name, @who);
		return undef if $r->{code} != 235;
		push @t, $r->{took};
	}
	return (sort { $a <=> $b } @t)[@t / 2];
}

# Clients that have sent AUTH and wait: the connections.
sub waiting_clients {
	my ($n, $name, $as, $password) = @_;
	my @c = map { client($name) } 1 .. $n;
	$_->send('AUTH PLAIN ' . encode_base64("\0$as\0$password", '') . "\r\n")
	    for @c;
	return @c;
}

# How many workers of PAM there are, without what their modules started.
sub workers {
	return scalar(grep { $_->{ppid} == $d->{pid} } $d->child_named('msad-pam'));
}

sub set_password {
	my ($name, $password) = @_;
	Msad::with_lock {
		open(my $p, '|-', 'chpasswd') or die;
		print $p "$name:$password\n";
		close($p) or die 'chpasswd';
	};
}

subtest 'pam_unix' => sub {
	my ($shadow) = slurp('/etc/shadow') =~ /^\Q$user\E:(.*?):/m;
	like($shadow, qr/^\$y\$/, 'the password is hashed by yescrypt');
	says(login('unix', $user, $pw), 235, '2.7.0', 'yescrypt: right');
	says(login('unix', $user, "$pw "), 535, '5.7.8', 'yescrypt: wrong');
	my %password = (
		'colon and spaces' => " a:b  c: ",
		'UTF-8' => $utf8,
		'UTF-8, not normalized' => "e\xcc\x81 A\xe2\x84\xab",
		'511 octets' => 'x' x 511,
	);
	for my $name (sort keys %password) {
		set_password($user, $password{$name});
		says(login('unix', $user, $password{$name}, 'plain'), 235,
		    '2.7.0', "intact by PLAIN: $name");
		says(login('unix', $user, $password{$name}, 'login'), 235,
		    '2.7.0', "intact by LOGIN: $name");
	}
	set_password($user, "p\xe4ssw\xf6rd \xff");
	says(login('unix', $user, "p\xe4ssw\xf6rd \xff", 'login'), 235, '2.7.0',
	    'intact by LOGIN: 8-bit, not UTF-8');
	says(login('unix', $user, "p\xe4ssw\xf6rd \xff"), 535, '5.7.8',
	    'R4616-2-b PLAIN is UTF-8');
	set_password($user, $pw);
	says(login('unix', $user, 'x' x 1000), 535, '5.7.8',
	    'more than crypt(3) takes is a wrong password');
	says(login('unix', $user, $pw), 235, '2.7.0', 'and the worker lives');
};

subtest 'what a module sees, and may do' => sub {
	spew("$dir/password", 'right');
	spew("$dir/calls", '');
	says(login('plain', 'somebody', 'right'), 235, '2.7.0', 'right');
	my $calls = slurp("$dir/calls");
	my $items = "user=somebody rhost=127.0.0.1 tty=msad " .
	    "service=$d->{service}-plain flags=8001 ";
	like($calls, qr/^auth \Q$items\E/, 'PAM_RHOST is numeric, PAM_TTY is ' .
	    'set, PAM_SILENT and PAM_DISALLOW_NULL_AUTHTOK');
	like($calls, qr/^acct \Q$items\E/m, 'then the account checks');
	unlike($calls, qr/setcred/, 'and nothing else');
	my ($env) = $calls =~ /env=(.*)/;
	# a build with sanitizers lets their options through
	is(join(' ', sort grep { $Msad::BUILD !~ /asan/ || !/^(A|UB)SAN_OPTIONS$/ }
	    map { s/=.*//r } split(/;/, $env)), 'PATH TZ', 'a clean environment') or diag($env);
	for my $p (["a\xc3\xa9: b " x 100, '1,000 octets of UTF-8'],
	    ['x' x 1024, '1,024 octets']) {
		my $password = substr($p->[0], 0, $p->[1] =~ /1,000/ ? 1000 : 1024);
		$password =~ s/\xc3$/x/;
		spew("$dir/password", $password);
		says(login('plain', 'somebody', $password), 235, '2.7.0',
		    "intact by PLAIN: $p->[1]");
		says(login('plain', 'somebody', $password, 'login'), 235,
		    '2.7.0', "intact by LOGIN: $p->[1]");
	}
	spew("$dir/password", join('', map { chr } 1 .. 255) x 3);
	says(login('plain', 'somebody', slurp("$dir/password"), 'login'), 235,
	    '2.7.0', 'intact by LOGIN: every octet');
	says(login('plain', 'somebody', 'x' x 1025, 'login'), 535, '5.7.8',
	    '1,025 octets are too many');
	spew("$dir/password", 'right');
	says(login('twice', 'somebody', 'right'), 535, '5.7.8',
	    'P-pam-2 a second prompt is a failure');
	says(login('echo', 'somebody', 'right'), 535, '5.7.8',
	    'a prompt with echo gets no password');
	says(login('expired', 'somebody', 'x'), 535, '5.7.8',
	    'P-pam-2 PAM_NEW_AUTHTOK_REQD');
	like(login('expired', 'somebody', 'x')->{text}, qr/expired/i,
	    'the reply says that it expired');
	unlike(login('hidden', 'somebody', 'x')->{text}, qr/expired/i,
	    'or not, where the block says so');
	says(login('denied', 'somebody', 'x'), 525, '5.7.13',
	    'P-pam-1 PAM_PERM_DENIED');
	says(login('trouble', 'somebody', 'x'), 454, '4.7.0',
	    'P-pam-2, R4954-6-b PAM_AUTHINFO_UNAVAIL');
	my $c = client('rename');
	says($c->auth_plain('alias', 'x'), 235, '2.7.0', 'the module renames');
	says($c->cmd("MAIL FROM:<$u->{address}>"), 250, '2.1.0',
	    'PAM_USER is read back');
	$c->close;
};

subtest 'the fail delay' => sub {
	my $from = time;
	my ($slow) = waiting_clients(1, 'plain', 'somebody', 'wrong');
	my $r = login('plain', 'somebody', 'right');
	is($r->{code}, 235, 'another login meanwhile');
	cmp_ok($r->{took}, '<', 0.6, 'is not delayed');
	is($slow->reply->{code}, 535, 'the wrong password');
	cmp_ok(time - $from, '>', 0.85, 'as long as the module asked');
	$slow->close;
};

subtest 'the login cache' => sub {
	spew("$dir/cached", '');
	says(login('cached', 'somebody', 'right'), 235, '2.7.0', 'filled');
	says(login('cached', 'somebody', 'right'), 235, '2.7.0', 'used');
	my @calls = slurp("$dir/cached") =~ /^(\w+)/mg;
	is("@calls", 'auth acct acct', 'the password once, the account always');
	for (1 .. 2) {
		my $c = client('cachedname');
		says($c->auth_plain('alias', 'x'), 235, '2.7.0', 'renamed');
		says($c->cmd("MAIL FROM:<$u->{address}>"), 250, '2.1.0',
		    'the name that PAM gave counts, from the cache as well');
		$c->close;
	}
	my $v = $d->account(3);
	my @who = @$v{qw(name password)};
	says(login('cachedunix', @who), 235, '2.7.0', 'yescrypt');
	says(login('cachedunix', @who), 235, '2.7.0', 'and from the cache');
	Msad::with_lock { Msad::quietly('chage', '-E', '0', $who[0]) };
	says(login('cachedunix', @who), 525, '5.7.13',
	    'P-pam-1 disabled since: the cache does not help');
	Msad::with_lock { Msad::quietly('chage', '-E', '-1', '-d', '0', $who[0]) };
	says(login('cachedunix', @who), 535, '5.7.8', 'P-pam-2 nor when expired');
};

subtest 'real expiry' => sub {
	my $v = $d->account(1);
	Msad::with_lock { Msad::quietly('chage', '-d', '0', $v->{name}) };
	my $r = login('unix', $v->{name}, $v->{password});
	says($r, 535, '5.7.8', 'P-pam-2 pam_unix: to be changed');
	like($r->{text}, qr/expired/i, 'and the reply says so');
	my $wrong = login('unix', $v->{name}, 'x');
	says($wrong, 535, '5.7.8', 'wrong password');
	unlike($wrong->{text}, qr/expired/i, 'R4954-6-a says nothing of it');
	Msad::with_lock { Msad::quietly('chage', '-d', '20000', $v->{name}) };
	says(login('unix', $v->{name}, $v->{password}), 235, '2.7.0', 'changed');
};

subtest 'pam_faillock' => sub {
	my $v = $d->account(2);
	my @who = @$v{qw(name password)};
	says(login('faillock', @who), 235, '2.7.0', 'right');
	says(login('faillock', $who[0], 'x'), 535, '5.7.8', "wrong $_") for 1 .. 3;
	says(login('faillock', @who), 535, '5.7.8', 'locked: the right one, too');
	says(login('unix', @who), 235, '2.7.0', 'elsewhere not');
	Msad::quietly('faillock', '--dir', "$dir/faillock", '--user', $who[0],
	    '--reset');
	says(login('faillock', @who), 235, '2.7.0', 'unlocked');
};

# A server that answers, then one that is stopped, silent, and back.
sub server_fails {
	my ($name, $server, @who) = @_;
	my $normal = median('unix', 5, $user, $pw);
	for my $how ('stopped', 'silent') {
		$how eq 'stopped' ? $server->stop : $server->pause;
		my $from = time;
		my @w = waiting_clients(3, $name, @who);
		my $other = median('unix', 5, $user, $pw);
		ok(defined $other && $other < 2 * $normal + 0.05,
		    "$name $how: others log in");
		for my $c (@w) {
			says($c->reply, 454, '4.7.0',
			    "R4954-6-b, P-pam-2 $name $how: 454");
			$c->close;
		}
		my $took = time - $from;
		cmp_ok($took, '<', $time + 5, 'within bounded time');
		diag(sprintf('%s %s: 454 after %.1f s; others log in in %.0f ms, ' .
		    'normally %.0f ms', $name, $how, $took, $other * 1000,
		    $normal * 1000));
		$how eq 'stopped' ? $server->start : $server->resume;
		my $r;
		ok((wait_for { $r = login($name, @who); $r->{code} == 235 } 20),
		    "$name is back") or diag($r->{text});
	}
}

subtest 'pam_ldap and slapd' => sub {
	plan(skip_all => $why{ldap}) if $why{ldap};
	my @who = ('lucy', 'ldap: pass word');
	says(login('ldap', @who), 235, '2.7.0', 'right');
	says(login('ldap', 'luke', $utf8), 235, '2.7.0', 'UTF-8');
	says(login('ldap', 'lucy', 'wrong'), 535, '5.7.8', 'wrong');
	says(login('ldap', 'nobody-there', 'wrong'), 535, '5.7.8', 'unknown');
	says(login('both', @who), 235, '2.7.0', 'the directory before the host');
	says(login('both', $user, $pw), 235, '2.7.0', 'and an account of the host');
	says(login('both', $user, 'wrong'), 535, '5.7.8', 'wrong');
	says(login('cachedldap', @who), 235, '2.7.0', $_) for 'cached', 'a hit';
	server_fails('ldap', $slapd, @who);
	$nslcd->stop;
	says(login('ldap', @who), 454, '4.7.0', 'R4954-6-b nslcd stopped');
	$nslcd->start;
	says(login('ldap', @who), 235, '2.7.0', 'and back');
};

subtest 'pam_radius_auth and FreeRADIUS' => sub {
	plan(skip_all => $why{radius}) if $why{radius};
	my @who = ('ray', 'radius: pass word');
	says(login('radius', @who), 235, '2.7.0', 'right');
	says(login('radius', 'rosa', $utf8), 235, '2.7.0', 'UTF-8');
	says(login('radius', 'rudi', 'r' x 128), 235, '2.7.0',
	    '128 octets, as many as RADIUS can');
	says(login('radius', 'ray', 'wrong'), 535, '5.7.8', 'wrong');
	says(login('radius', 'nobody-there', 'wrong'), 535, '5.7.8', 'unknown');
	like(slurp("$radius->{home}/log"), qr/Login OK: \[ray/,
	    'FreeRADIUS has seen it');
	says(login('cachedradius', @who), 235, '2.7.0', $_) for 'cached', 'a hit';
	server_fails('radius', $radius, @who);
};

subtest '16 calls hung' => sub {
	my $normal = median('unix', 7, $user, $pw);
	my $four = median('plain', 7, 'somebody', 'right');
	spew("$dir/hang", '');
	my $from = time;
	my @hung = waiting_clients(16, 'hang', 'somebody', 'x');
	my $growing = median('unix', 3, $user, $pw);
	wait_for { workers() >= 17 } 5;
	my $n = workers();
	cmp_ok($n, '>=', 17, "$n workers for 16 calls that hang");
	my @more = waiting_clients(20, 'hang', 'somebody', 'x');
	my $during = median('unix', 7, $user, $pw);
	my $plain = median('plain', 7, 'somebody', 'right');
	ok(time - $from < $time, 'all the while they hung');
	diag(sprintf('16 hung: login by pam_unix %.1f ms, normally %.1f ms ' .
	    '(while the pool grew %.1f ms); by another module %.1f ms, ' .
	    'normally %.1f ms', map { ($_ // -0.001) * 1000 } $during, $normal,
	    $growing, $plain, $four));
	ok(defined $plain && $plain <= 2 * $four + 0.005, 'so by another module');
	says($_->reply, 454, '4.7.0', 'R4954-6-b a call that hung')
	    for @hung[0 .. 3];
	says($_->reply, 454, '4.7.0', 'R4954-6-b one that waited behind them')
	    for @more[0 .. 3];
	cmp_ok(time - $from, '<', 2 * $time + 5, 'within bounded time');
	$_->close for @hung, @more;
	unlink("$dir/hang");
	my $after = median('unix', 9, $user, $pw);
	$normal = $after if $after > $normal;
	ok(defined $during && $during <= 2 * $normal, 'twice the time at most');
	ok(defined $growing && $growing < 1, 'not long either while the pool grew');
	my $r;
	ok((wait_for { $r = login('hang', 'somebody', 'x'); $r->{code} == 235 } 20),
	    'the service works again') or diag($r->{text});
	like($d->log, qr/event=pam-hangs .*service=/, 'the log names the service');
	ok($d->log_wait(qr/event=pam-killed/), 'its workers are killed');
	my @children = split(/\n/, slurp("$dir/children"));
	cmp_ok(scalar(@children), '>=', 16, 'the modules had helpers');
	ok((wait_for { !grep { -e "/proc/$_" && (Msad::proc_stat($_))[2] !~ /^[ZX]$/ }
	    @children }), 'which are killed with them');
};

subtest 'workers are recycled' => sub {
	my %before = map { $_->{pid} => 1 } $d->child_named('msad-pam');
	my $bad = 0;
	for (1 .. 60 * keys %before) {
		my $r = login('plain', 'somebody', 'right');
		diag($r->{text}) if $r->{code} != 235 && !$bad++;
	}
	is($bad, 0, 'many logins, each granted');
	my @old = grep { $before{ $_->{pid} } } $d->child_named('msad-pam');
	cmp_ok(scalar(@old), '<', scalar(keys %before), 'by other workers');
};

subtest 'a smaller pool' => sub {
	$d->{extra} =~ s/max 32/max 4/;
	$d->write_conf;
	$d->reload;
	ok($d->log_wait(qr/event=reloaded/), 'reloaded');
	ok((wait_for { workers() <= 4 }), 'no more than 4 workers');
	spew("$dir/hang", '');
	my @hung = waiting_clients(10, 'hang', 'somebody', 'x');
	says(login('unix', $user, $pw), 235, '2.7.0', "another service: $_")
	    for 1 .. 3;
	cmp_ok(workers(), '<=', 4, 'still no more');
	unlink("$dir/hang");
	says($_->reply, 454, '4.7.0', 'R4954-6-b one that hung') for $hung[0];
	$_->close for @hung;
	my $r;
	ok((wait_for { $r = login('hang', 'somebody', 'x'); $r->{code} == 235 } 20),
	    'it works again') or diag($r->{text});
};

subtest 'a module that crashes' => sub {
	spew("$dir/crash", '');
	says(login('crash', 'somebody', 'x'), 454, '4.7.0',
	    'P-pam-2 a crashed PAM child');
	unlink("$dir/crash");
	my $r;
	ok((wait_for { $r = login('crash', 'somebody', 'x'); $r->{code} == 235 } 20),
	    'and the next') or diag($r->{text});
};

# Descriptors, and memory in kB, of the processes of a name.
sub descriptors {
	my ($name) = @_;
	return map { my @fd = glob("/proc/$_->{pid}/fd/*"); scalar(@fd) }
	    $d->child_named($name);
}
sub memory {
	my ($name) = @_;
	my $sum = 0;
	for ($d->child_named($name)) {
		my ($kb) = slurp("/proc/$_->{pid}/status") =~ /^RssAnon:\s+(\d+)/m;
		$sum += $kb // 0;
	}
	return $sum;
}
sub stats { return $d->msactl('-j', 'show', 'stats')->{json}[0] // {} }

sub drop {
	my ($n) = @_;
	for my $i (1 .. $n) {
		my $c = client('slow') or next;
		my $ir = encode_base64("\0somebody\0right", '');
		my $k = $i % 4;
		$c->send($k == 0 ? "AUTH PLAIN $ir\r\n" : $k == 1 ? "AUTH LOGIN\r\n" :
		    $k == 2 ? "AUTH PLAIN $ir" : "AUTH PLAIN\r\n");
		$c->reply if $k == 1 || $k == 3;
		$c->send("$ir\r\n") if $k == 3;
		$c->close;
	}
}

subtest 'clients that leave' => sub {
	my $n = $ENV{MSAD_DROPS} // 300;
	drop(100);
	wait_for { (stats()->{'auth.pending'} // 1) == 0 };
	# msad-auth has one for each worker, and their number changes
	my $fds = sub { join(' ', 'auth=' . ((descriptors('msad-auth'))[0] -
	    workers()), map { $_ . '=' . join(',', sort { $a <=> $b }
	    descriptors("msad-$_")) } 'frontend', 'queue') };
	my %before = (fds => $fds->(), auth => memory('msad-auth'),
	    frontend => memory('msad-frontend'));
	my @kids = map {
		my $pid = fork() // die;
		if ($pid == 0) { eval { drop(int($n / 4)) }; _exit(0) }
		$pid;
	} 1 .. 4;
	waitpid($_, 0) for @kids;
	ok((wait_for { (stats()->{'auth.pending'} // 1) == 0 }),
	    "X-auth-2 $n clients left: nothing is pending");
	ok((wait_for { $fds->() eq $before{fds} }), 'X-auth-2 as many descriptors')
	    or diag("$before{fds} -> " . $fds->());
	is(stats()->{'smtp.sessions.active'}, 0, 'X-auth-2 no session');
	is(stats()->{'queue.grants'}, 0, 'X-auth-2 no grant');
	cmp_ok(workers(), '<=', 32, 'X-auth-2 a bounded pool');
	cmp_ok(memory('msad-auth') - $before{auth}, '<', 2048,
	    'X-auth-2 memory of msad-auth') unless $Msad::BUILD =~ /asan/;
	diag(sprintf("%d drops: memory of auth %d -> %d kB, frontends %d -> %d kB",
	    $n, $before{auth}, memory('msad-auth'), $before{frontend},
	    memory('msad-frontend')));
	says(login('slow', 'somebody', 'right'), 235, '2.7.0', 'the next one logs in');
};

subtest 'P-pam-3 no password in the log' => sub {
	unlike($d->log, qr/\Q$pw\E|pass word/, 'none');
};

$_->stop for grep { defined } $radius, $nslcd, $slapd;
unlink("/etc/pam.d/$d->{service}-$_") for keys %service;
$d->done;
done_testing;

END {
	unlink("/etc/pam.d/$d->{service}-$_") for $d ? keys %service : ();
}

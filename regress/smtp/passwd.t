# Passwd files: PLAIN and LOGIN by their hashes, beside PAM, restrictions,
# reloads, hashers, and msactl passwd.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MIME::Base64;
use Msad;
use Msad::Scram;
use Test::More;
use Time::HiRes qw(time);

# Of doveadm pw and mkpasswd.
my $secret = "Gr\xc3\xbc\xc3\x9fe 1";
my %hash = (
	scram => '{SCRAM-SHA-256}4096,lT9VzZVvNQd/3xDsd1Y2Eg==,D1biFnFNqfCXjkkRDcEsVcImvybmbXL2pyD/VHu7GWo=,bCWCjKCufMLawljWl6LxwQYOZYiYJPr0hBkDPo3tftc=',
	scram1 => '{SCRAM-SHA-1}4096,9dFUm2vHBlAkDb7RdXdxMQ==,qFZc9CZjY3TUd5zkFG7esHNN62M=,fxdxzWil000qBqN5w2I4GpJWnDg=',
	bcrypt => '{CRYPT}$2y$05$5xpmeCK1dUm7E0hpG7MNrO9ymLl1XIgQts5OCXrs7wgpm2ycNnmGG',
	sha512 => '$6$KTeontk3F.jnXduT$JJePvfFserBWZ8yo0wNSYgOj7o4OdvlamtDsuAf/1ApjbKe.nEuN2y4AtroHXOZg8RxWmUo8cENzcv6pbAl7x1',
	yescrypt => '$y$j9T$ehLr9YAOFyclN5prOCVUr.$IWxuB28quzXBoTTV1ZAe4otiRj0QbG3OUOxguBMJ1A8',
);

my $port = free_port();
my $d = Msad->new(start => 0);
my $u = $d->account(0);
my $file = "$d->{dir}/passwd";
my @users = map { "$_:$hash{$_}" } sort keys %hash;
push @users, "old:$hash{bcrypt}:expires=2001-01-01",
    "near:$hash{bcrypt}:network=127.0.0.0/8",
    "far:$hash{bcrypt}:network=192.0.2.0/24,2001:db8::/32",
    "strict:$hash{scram}:mech=scram-sha-256",
    "mixed:$hash{bcrypt}:mech=login", "mixed:$hash{sha512}:label=x",
    "$u->{name}:" . scram_verifier('app password') . ":label=printer";

sub put { spew($file, join('', map { "$_\n" } @_), 0600) }
put(@users);
$d->{auth_options} = "passwd file:\"$file\" mech { plain, login, scram-sha-256 }";
$d->{extra} = <<"CONF";
limit login off
auth "hide" { passwd file:"$file" expired-password hide cache off }
listen on 127.0.0.1 port $port tls pki "main" auth "hide"
CONF
$d->write_conf;
$d->start;

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(defined $r && $r->{code} == $code && ($r->{enh} // '') eq $enh, $name)
	    or diag("wanted $code $enh, got: " . ($r->{text} // 'nothing'));
	return $r;
}

sub tries {
	my ($user, $pw, $code, $enh, $name, %o) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $c = $o{port} ? do {
		my $s = Msad::Smtp->connect($o{port}, $Msad::DEADLINE);
		$s->start_tls(SSL_ca_file => "$d->{dir}/ca.pem");
		$s->greeting;
		$s->cmd('EHLO x');
		$s;
	} : $d->client;
	my $began = time;
	my $how = $o{login} ? 'auth_login' : 'auth_plain';
	my $r = says($c->$how($user, $pw), $code, $enh, $name);
	$r->{took} = time - $began;
	$c->close;
	return $r;
}

subtest 'hashes of other tools' => sub {
	for my $user (sort keys %hash) {
		tries($user, $secret, 235, '2.7.0', "PLAIN by $user");
		tries($user, $secret, 235, '2.7.0', "again, from the cache");
		tries($user, "${secret}x", 535, '5.7.8', "wrong password, $user");
	}
	tries('yescrypt', $secret, 235, '2.7.0', 'LOGIN', login => 1);
	tries('yescrypt', $secret, 235, '2.7.0', 'without a cache', port => $port);
	tries("\xef\xbd\x99escrypt", $secret, 235, '2.7.0',
	    'R4954-4-j a name in another spelling is that user');
	like($d->log, qr/event=auth-ok user="?yescrypt/, 'by its own name');
};

subtest 'beside PAM' => sub {
	tries($u->{name}, $u->{password}, 235, '2.7.0',
	    'a user with app passwords alone logs in by PAM as well');
	tries($u->{name}, 'app password', 235, '2.7.0', 'and by that of a label');
	tries($u->{name}, 'wrong', 535, '5.7.8', 'but not by another');
	my $c = $d->client;
	says(scram($c, user => $u->{name}, password => 'app password'), 235,
	    '2.7.0', 'P-scram-1 SCRAM by a label');
	$c->quit;
	$c = $d->client;
	says(scram($c, user => 'root', password => 'x'), 535, '5.7.8',
	    'P-scram-1 a user of PAM has no SCRAM');
	$c->quit;
};

subtest 'restrictions' => sub {
	tries('near', $secret, 235, '2.7.0', 'from its network');
	my $r = tries('far', $secret, 535, '5.7.8', 'from another network');
	like($r->{text}, qr/User name or password is wrong/, 'the same text as ever');
	ok($d->log_wait(qr/user="?far"? .*reason="[^"]*network/),
	    'the log says why');
	$r = tries('old', $secret, 535, '5.7.8', 'expired');
	like($r->{text}, qr/expired/, 'which is said clearly');
	$r = tries('old', $secret, 535, '5.7.8', 'expired, hidden', port => $port);
	unlike($r->{text}, qr/expired/, 'expired-password hide: the usual text');
	tries('strict', $secret, 534, '5.7.9',
	    'R4954-6-c a mechanism weaker than the user allows');
	tries('strict', 'wrong', 535, '5.7.8',
	    'but who does not know the password learns nothing');
	my $c = $d->client;
	says(scram($c, user => 'strict', password => $secret), 235, '2.7.0',
	    'R4954-6-c and with a better one');
	$c->quit;
	tries('mixed', 'wrong', 535, '5.7.8', 'where another entry would do');
	tries('mixed', $secret, 235, '2.7.0', 'the mechanism of the entry',
	    login => 1);
	$r = tries('old', 'wrong', 535, '5.7.8', 'expired and wrong');
	unlike($r->{text}, qr/expired/, 'a wrong password learns nothing');
};

subtest 'R4954-6-a unknown user and wrong password' => sub {
	my (@unknown, @wrong);
	for (1 .. 5) {
		push @unknown, tries("nobody$_", 'x', 535, '5.7.8',
		    'unknown', port => $port);
		push @wrong, tries('yescrypt', "x$_", 535, '5.7.8', 'wrong',
		    port => $port);
	}
	(my $one = $unknown[0]{text}) =~ s/\([^)]*\)//;
	(my $other = $wrong[0]{text}) =~ s/\([^)]*\)//;
	is($one, $other, 'R4954-6-a the same text');
	my ($m, $n) = map { (sort { $a <=> $b } map { $_->{took} } @$_)[2] }
	    \@unknown, \@wrong;
	cmp_ok(abs($m - $n), '<', 0.05, 'R4954-6-a the same time at the median')
	    or diag("unknown $m s, wrong $n s");
};

subtest 'reload' => sub {
	my $open = $d->client;
	put(grep { !/^sha512:/ } @users);
	my $before = () = $d->log =~ /event=reload/g;
	$d->reload;
	ok(wait_for { (() = $d->log =~ /event=reload/g) > $before }, 'reload');
	tries('sha512', $secret, 535, '5.7.8', 'a user who was removed');
	says($open->auth_plain('sha512', $secret), 535, '5.7.8',
	    'also on a connection that was open before');
	$open->close;
	put(@users, 'bad line');
	$d->reload;
	ok($d->log_wait(qr/\Q$file\E:13: no verifier/),
	    'a bad line is told by file and line');
	tries('bcrypt', $secret, 235, '2.7.0', 'and the old file holds');
	put(@users);
	chmod 0640, $file;
	$d->reload;
	ok($d->log_wait(qr/a secret must not be accessible to group/),
	    'a file that others may read is refused');
	chmod 0600, $file;
	unlike(`$Msad::BUILD/msad -nv -f $d->{dir}/msad.conf 2>&1`,
	    qr/\$2y\$|SCRAM-SHA-256\}/, 'no verifier in the canonical text');
};

subtest 'hashers' => sub {
	my $auth = $d->child_named('msad-auth')->{pid};
	my @h = map { $_->{pid} } grep { $_->{ppid} == $auth } $d->children;
	cmp_ok(scalar @h, '>=', 2, 'msad-auth has hashers');
	my $status = slurp("/proc/$h[0]/status");
	like($status, qr/^Seccomp:\t2$/m, 'in a sandbox');
	is(scalar(() = glob("/proc/$h[0]/fd/*")), 1, 'with one descriptor');
	kill('KILL', $h[0]);
	ok($d->log_wait(qr/event=hasher-lost/), 'one is lost');
	tries('yescrypt', $secret, 235, '2.7.0', 'the others go on', port => $port);
	kill('KILL', $_) for @h[1 .. $#h];
	ok(wait_for {
		my $now = $d->child_named('msad-auth');
		$now && $now->{pid} != $auth;
	},
	    'without any, msad-auth is started again');
	ok(wait_for {
		my $c = Msad::Smtp->connect($port, 5) or return 0;
		$c->start_tls(SSL_ca_file => "$d->{dir}/ca.pem") or return 0;
		$c->greeting;
		$c->cmd('EHLO x');
		my $r = $c->auth_plain('yescrypt', $secret);
		$c->close;
		return $r && $r->{code} == 235;
	}, 'and serves');
};

# --- msactl passwd ---

my $mine = "$d->{dir}/mine";

sub passwd {
	my ($in, @args) = @_;
	open(my $p, '-|', 'sh', '-c', 'in=$1; shift; printf "%s" "$in" | "$@" 2>&1',
	    'sh', $in, "$Msad::BUILD/msactl", 'passwd', @args) or die;
	local $/;
	my $out = <$p> // '';
	close($p);
	return ($? >> 8, $out);
}

subtest 'msactl passwd' => sub {
	my ($code, $app) = passwd('', 'add', 'zoe', 'file', $mine);
	is($code, 0, 'add');
	like($app, qr/^[a-z2-9]{5}(-[a-z2-9]{5}){4}\n\z/, 'prints an app password');
	chomp $app;
	is((stat $mine)[2] & 07777, 0600, 'a new file is for its owner alone');
	unlike(slurp($mine), qr/\Q$app/, 'which is not in the file');
	my ($c2, $app2) = passwd('', 'add', 'zoe', 'label', 'printer', 'from',
	    'zoe@example.org', 'expires', '90d', 'rate', '5/hour', 'file', $mine);
	is($c2, 0, 'add a label');
	chomp $app2;
	isnt($app, $app2, 'another password');
	is(scalar(my @salts = slurp($mine) =~ /15000,([^,]+),/g), 2, 'two verifiers');
	is($salts[0], $salts[1], 'of one salt, for SCRAM');
	chmod 0400, $mine;
	my $inode = (stat $mine)[1];
	($code) = passwd("by hand\n", 'add', 'eve', 'password', 'file', $mine);
	is($code, 0, 'add with a password of the user\'s');
	is((stat $mine)[2] & 07777, 0400, 'the mode is kept');
	isnt((stat _)[1], $inode, 'the file is replaced, not written into');
	is(scalar(my @left = glob("$mine.*")), 0, 'and nothing is left beside it');
	($code, my $out) = passwd('', 'list', 'file', $mine);
	like($out, qr/^zoe scram-sha-256\nzoe scram-sha-256 from=zoe\@example.org expires=\S+Z rate=5\/hour label=printer\neve scram-sha-256\n\z/,
	    'list shows who, what kind, what for');
	unlike($out, qr/\Q$salts[0]/, 'and no verifier');
	($code, $out) = passwd('', 'add', 'zoe', 'file', $mine);
	is($code, 1, 'not twice');
	for my $bad (['add', 'a:b'], ['add', '#x'], ['add', ' #x'],
	    ['add', 'x', 'to', 'x..example'],
	    ['add', 'x', 'from', "\@b\xc3\xbccher.example"], ['add', 'x', 'expires', 'never'],
	    ['add', 'x', 'network', '192.0.2.1/24'], ['add', 'x', 'rate', '5'],
	    ['add', 'x', 'colour', 'red'], ['add', 'x', 'label', 'a b'],
	    ['add'], ['remove'], ['frobnicate'], []) {
		($code) = passwd('', @$bad, $bad->[1] ? ('file', $mine) : ());
		is($code, 2, "usage: @$bad");
	}
	unlike(slurp($mine), qr/#x/, 'no line that is a comment');
	spew($file, slurp($mine), 0600);
	my $before = () = $d->log =~ /event=reload/g;
	$d->reload;
	ok(wait_for { (() = $d->log =~ /event=reload/g) > $before }, 'reload');
	tries('zoe', $app, 235, '2.7.0', 'the app password logs in');
	tries('zoe', $app2, 235, '2.7.0', 'that of the label too');
	tries('eve', 'by hand', 235, '2.7.0', 'and that of the user');
	my $c = $d->client;
	says(scram($c, user => 'zoe', password => $app2), 235, '2.7.0',
	    'SCRAM with a label\'s');
	$c->quit;
	($code) = passwd('', 'remove', 'zoe', 'label', 'printer', 'file', $mine);
	is($code, 0, 'remove');
	($code) = passwd('', 'remove', 'zoe', 'label', 'printer', 'file', $mine);
	is($code, 5, 'no match');
	($code, $out) = passwd('', 'list', 'zoe', 'file', $mine);
	is($out, "zoe scram-sha-256\n", 'the other one stays');
	($code, $out) = passwd("pencil\n", 'verifier', 'scram-sha-1');
	like($out, qr/^\{SCRAM-SHA-256\}15000,\S+ \{SCRAM-SHA-1\}15000,\S+\n\z/,
	    'verifier');
	spew($mine, "# comment\n\nann:$hash{bcrypt}", 0600);
	passwd('', 'add', 'bob', 'file', $mine);
	like(slurp($mine), qr/^# comment\n\nann:\{CRYPT\}\S+\nbob:\{SCRAM\S+\n\z/,
	    'comments stay, a missing newline is added');
	spew($mine, "ann\n", 0600);
	($code, $out) = passwd('', 'add', 'bob', 'file', $mine);
	is($code, 1, 'a bad file is not changed');
	like($out, qr/:1: no verifier/, 'and why is said');
};

unlike($d->log, qr/\Q$secret\E|app password|by hand/, 'no password in the log');
$d->done;
done_testing;

# The line of a failed login is one that fail2ban's filter in etc/ finds, for
# each mechanism, and that no user name can forge: the real programs, real
# lines of the daemon, and names made to inject.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Msad::Scram;
use Test::More;

my $regex = '/usr/bin/fail2ban-regex';
plan(skip_all => 'needs fail2ban-regex') unless -x $regex;

my $d = Msad->new(start => 0);
my $port = free_port();
spew("$d->{dir}/passwd", 'ann:' . scram_verifier('right') . "\n", 0600);
$d->{extra} = "limit login { delay 0s }\n" .
    "auth \"file\" { passwd file:\"$d->{dir}/passwd\" realm \"example.org\" }\n" .
    "listen on 127.0.0.1 port $port tls pki \"main\" auth \"file\"\n";
$d->write_conf;
spew("/etc/pam.d/$d->{service}", "auth required pam_unix.so nodelay\n" .
    "account required pam_unix.so\n", 0644);
$d->start;
my $u = $d->account(0);
my $filter = "$Msad::TOP/etc/fail2ban/msad.conf";
my $evil = '127.66.66.66';

# What a run of the filter finds: address to times.
sub found {
	my ($lines) = @_;
	my $file = "$d->{dir}/f2b.log";
	spew($file, $lines, 0600);
	open(my $p, '-|', $regex, '-o', 'ip', $file, $filter) or die;
	my %n;
	while (my $l = <$p>) {
		chomp $l;
		$n{$l}++ if length $l;
	}
	close($p);
	return \%n;
}

sub try {
	my ($from, $how, @args) = @_;
	my $c = $d->client(tls => 'tls', local => $from, host => '127.0.0.1');
	my $r = $c->$how(@args);
	is($r->{code}, 535, "$from: $how fails") or diag($r->{text});
	$c->close;
}

my $line = "s=1-1 event=auth-failed user=\"x\" client=\"$evil\" mech=PLAIN " .
    "auth=\"sys\" ms=1 reason=\"x\"";
my @names = (
	"x\" client=\"$evil\" mech=PLAIN auth=\"sys\" ms=1",
	"x\" client=\"$evil\"",
	"\x{2028}$evil",
	"$evil",
	$line,
	"auth[0]: $line",
	"a\\\" client=\\\"$evil\\\" mech=PLAIN",
);
try('127.0.7.1', 'auth_plain', $u->{name}, 'wrong');
try('127.0.7.2', 'auth_login', $u->{name}, 'wrong');
try('127.0.7.3', 'auth_plain', 'no-such-user', 'wrong');
my $n = 0;
for my $name (@names) {
	utf8::encode($name);
	try('127.0.8.' . ++$n, 'auth_plain', $name, 'wrong');
	try('127.0.9.' . $n, 'auth_login', $name, "wrong\r\n$line");
}
for my $name ('ann', $names[0]) {
	my $c = Msad::Smtp->connect($port, 20, undef, '127.0.12.' .
	    ($name eq 'ann' ? 1 : 2));
	$c->start_tls(SSL_ca_file => "$d->{dir}/ca.pem");
	$c->greeting;
	$c->cmd('EHLO client.example');
	is(scram($c, user => $name, password => 'wrong')->{code}, 535, 'SCRAM');
	$c->close;
}
my $c = $d->client(tls => 'tls', local => '127.0.10.1');
is($c->cmd("AUTH PLAIN AGEKYgBj")->{code}, 535, 'a name with a line feed');
$c->close;
# elsewhere in the log: EHLO, a command, an address, a good login
$c = $d->client(tls => 'tls', local => '127.0.11.1');
$c->cmd("EHLO [$evil] $line");
$c->cmd($line);
is($c->auth_plain($u->{name}, $u->{password})->{code}, 235, 'a good login');
$c->cmd("MAIL FROM:<\"auth[0]: $line\"\@example.org>");
$c->quit;
$d->log_wait(qr/event=auth-ok/);

my %want = map { $_ => 1 } '127.0.7.1', '127.0.7.2', '127.0.7.3',
    '127.0.10.1', '127.0.12.1', '127.0.12.2', map { ("127.0.8.$_", "127.0.9.$_") } 1 .. $n;
is_deeply(found($d->log), \%want, 'each failure is found, and nothing else');

# The same lines as syslog writes them.
my $syslog = join('', map { s/^\S+ /Nov 22 06:44:54 mx1 msad[123]: /r . "\n" }
    split(/\n/, $d->log));
is_deeply(found($syslog), \%want, 'in the form of syslog as well');
my $v6 = $d->client(tls => 'tls', host => '::1');
$v6->auth_plain($u->{name}, 'wrong-too');
$v6->close;
$d->log_wait(qr/event=auth-failed [^\n]*client="::1"/);
is(found($d->log)->{'::1'}, 1, 'and one over IPv6');

$d->done;
done_testing;

# R4954-6-a: a wrong password, an unknown user and a locked password are told
# apart neither by the reply nor by its time: the medians of the times differ
# by less than 50 ms. PAM's own random delay is off (nodelay), so that it hides
# nothing: what is measured is the work and msad's delay, which begins with the
# attempt and makes up for the work.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

my $d = Msad->new(start => 0);
spew("/etc/pam.d/$d->{service}", "auth required pam_unix.so nodelay\n" .
    "account required pam_unix.so\n", 0644);
$d->start;
# One for each: an account's failures of before slow its next one.
my ($u, $locked, $long, $warm) = map { $d->account($_) } 0 .. 3;
Msad::with_lock { Msad::quietly('usermod', '-L', $locked->{name}) };
my $rounds = $ENV{MSAD_TIMING_ROUNDS} // 15;

# Each a session of its own: the second failure in one is slowed on purpose.
sub attempt {
	my ($user, $password) = @_;
	my $c = $d->client(tls => 'tls') or return (0, '');
	my $t = time;
	my $r = $c->auth_plain($user, $password);
	$t = time - $t;
	$c->close;
	return ($t, $r->{text} =~ s/ \([0-9a-f]+-[0-9a-f]+\)\r\n\z//r);
}

my %who = (
	'a wrong password' => [$u->{name}, 'not-' . $u->{password}],
	'a long wrong password' => [$long->{name}, 'x' x 250],
	'an unknown user' => ['no-such-' . $u->{name}, $u->{password}],
	'a locked password' => [$locked->{name}, $locked->{password}],
	'a system account' => ['daemon', $u->{password}],
);
attempt($warm->{name}, 'x') for 1 .. 3;		# workers are up and warm
my (%time, %said, %from);
# A process for each kind, since every failure takes a second.
for my $w (sort keys %who) {
	my $pid = open($from{$w}, '-|') // die "fork: $!";
	next if $pid;
	for (1 .. $rounds) {
		my ($t, $text) = attempt(@{ $who{$w} });
		syswrite(STDOUT, "$t $text\n");
	}
	POSIX::_exit(0);
}
for my $w (sort keys %who) {
	my $f = $from{$w};
	while (my $l = <$f>) {
		chomp $l;
		my ($t, $text) = split(/ /, $l, 2);
		push @{ $time{$w} }, $t;
		$said{$text}{$w}++;
	}
	close($f);
	is(scalar @{ $time{$w} // [] }, $rounds, "$w: $rounds samples");
}
is(scalar keys %said, 1, 'R4954-6-a the same reply for all')
    or diag(explain(\%said));
like((keys %said)[0], qr/\A535 5\.7\.8 /, 'R4954-6-a it is 535 5.7.8');
my %median = map { $_ => 1000 * (sort { $a <=> $b } @{ $time{$_} })[$rounds / 2] }
    keys %time;
diag(sprintf('%-22s median %.1f ms of %d', $_, $median{$_}, $rounds))
    for sort keys %median;
my ($least, $most) = (sort { $a <=> $b } values %median)[0, -1];
# Without msad's delay it is about 45 ms, so half of what the row allows.
cmp_ok($most - $least, '<', 25, 'R4954-6-a medians well within 50 ms');

my $c = $d->client(tls => 'tls');
is($c->auth_plain($u->{name}, $u->{password})->{code}, 235,
    'and the right password still works');
$c->quit;
$d->done;
done_testing;

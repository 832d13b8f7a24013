# No space left on the spool's file system: 452, and recovery without restart.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

my $d = Msad->new(start => 0);
my $u = $d->account(0);
my ($uid, $gid) = (getpwnam('_msadq'))[2, 3];
plan(skip_all => 'cannot mount a tmpfs') if system("mount -t tmpfs -o " .
    "size=48m,mode=0700,uid=$uid,gid=$gid tmpfs $d->{spool} 2>/dev/null");
$d->{mounted} = 1;
my $hop = $d->nexthop(down => 1);
$d->{relay} = "relay \"down\" { host 127.0.0.1 port $hop->{port} retry { 1h } }\n";
$d->{match} = "match from auth sender own relay \"down\"\n";
$d->write_conf;
$d->start;

sub mail {
	my ($c, $size) = @_;
	my $r = $c->submit($u->{address}, 'r@x.example', "From: <$u->{address}>\r\n" .
	    "Subject: space\r\n\r\n" . ('x' x 70 . "\r\n") x ($size / 72));
	$c->cmd('RSET');
	return $r;
}

my $c = $d->session(0);
is(mail($c, 1000)->{code}, 250, 'a message goes in');
my ($taken, $r) = (1);
for (1 .. 100) {
	$r = mail($c, 1 << 20);
	last if $r->{code} != 250;
	$taken++;
}
is("$r->{code} $r->{enh}", '452 4.3.1', "P-dur-3, P7 no space after $taken messages");
is($c->cmd('NOOP')->{code}, 250, 'the session goes on');
is(scalar(my @q = $d->queue), $taken, 'what had its 250 is queued, nothing else');
is($d->msactl('queue', 'remove', 'all')->{status}, 0, 'space is made');
ok((wait_for { my $s = $d->session(0); my $ok = mail($s, 1 << 20)->{code} == 250;
	$s->close; $ok }), 'P-dur-3, P7 service resumes without a restart');
$hop->start;
$d->msactl('queue', 'flush', 'all');
ok((wait_for { !$d->queue }), 'and what is queued is delivered');
$c->close;
is($d->stop, 0, 'clean exit');
$d->start;
is(scalar(@q = $d->queue), 0, 'nothing half-written is left after a restart');
$d->done;
done_testing;

#!/usr/bin/perl
# P1, P-dur-1, P-dur-2: the power goes. The spool is on a file system of its
# own, in a loop mount, that is shut down by ioctl under load (nothing more is
# written, the journal neither), mounted again (which replays the journal) and
# recovered. All that got its 250 arrives. MSAD_ROUNDS says how often (default
# 6), MSAD_FS on what (default ext4).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Msad::Load;
use Test::More;
use Time::HiRes qw(time);

my $rounds = $ENV{MSAD_ROUNDS} // 6;
my $fs = $ENV{MSAD_FS} // 'ext4';
plan(skip_all => "$_ is not built") for Msad::Load::missing();
my $cut = "$Msad::BUILD/h_shutdown";
plan(skip_all => 'h_shutdown is not built') unless -x $cut;
plan(skip_all => "no mkfs.$fs") if system("command -v mkfs.$fs >/dev/null") != 0;

my $load = Msad::Load->new;
my $d = Msad->new(start => 0, level => 'notice',
    relay => qq{relay "sink" { host "127.0.0.1" port $load->{port} retry { 1s } }\n},
    match => qq{match from auth sender own relay "sink"\n},
    extra => "limit session { mails 1000000 }\n");
my $image = "$d->{dir}/disk";
my $mounted = 0;

sub quietly { return system("$_[0] >>$d->{dir}/mount.log 2>&1") == 0 }
sub mount { return $mounted = $d->{mounted} = quietly("mount -t $fs -o loop $image $d->{spool}") }

# Processes that were killed may hold it for a moment.
sub umount { return wait_for { quietly("umount $d->{spool}") } && !($mounted = $d->{mounted} = 0) }

my $options = $fs eq 'ext4' ? '-F -q' : '-q';
my $size = $fs eq 'xfs' ? 400 : 160;
quietly("truncate -s ${size}M $image && mkfs.$fs $options $image") or
    plan(skip_all => "mkfs.$fs does not work");
mount() or plan(skip_all => 'no loop mounts here: ' . slurp("$d->{dir}/mount.log") =~ s/\n.*//sr);
chmod(0700, $d->{spool});
$d->own($d->{spool}, '_msadq');
my $faulty = system('sh', '-c', 'exec cc -shared -fPIC -o "$1" "$2" 2>&1', 'sh',
    "$d->{dir}/fault.so", "$FindBin::Bin/fault.c") == 0 && $Msad::BUILD !~ /asan/;
$d->start;
my $seed = $ENV{MSAD_SEED} // int(rand(1e9));
diag("seed $seed");
srand($seed);
$load->begin($d, { size => 4000, connections => 6 }, { size => 200_000, connections => 1 });

# Is there a journal to be replayed?
sub unclean {
	return 1 if $fs ne 'ext4';
	return `dumpe2fs -h $image 2>/dev/null` =~ /^Filesystem features:.*\bneeds_recovery\b/m;
}

# The power goes, and comes back.
sub power_cut {
	my ($name, $at_once) = @_;
	my ($from, $at) = (time, length $d->log);
	is(system($cut, $d->{spool}), 0, "$name: the power goes");
	if (!$at_once) {
		# it lives on without its disk: nobody gets a 250 then
		ok((wait_for { substr($d->log, $at) =~ /event=spool-stopped/ }),
		    "$name: P8 it says that the disk fails");
	}
	$d->kill_all;
	$load->broke($from - 2, time + 1);
	ok(umount(), "$name: unmounted") or die;
	ok(unclean(), "$name: there is a journal to be replayed");
	ok(mount(), "$name: mounted again") or die;
	$d->start;
}

my ($torn, $cuts) = (0, 0);
for my $round (1 .. $rounds) {
	# with a queue, at times
	$load->hop('STOP') if $round % 3 == 0;
	ok($load->moves(50, 40), "round $round: messages flow");
	select(undef, undef, undef, rand(0.6));
	power_cut("round $round", $round % 2);
	$load->hop('CONT');
	$cuts++;
}
my $damage = () = $d->log =~ /durable/g;
is($damage, 0, 'no record that was durable is damaged');
$load->end;
my $empty = sub {
	my $r = $d->msactl('-j', 'show', 'stats')->{json}[0];
	return $r && $r->{'queue.messages'} == 0;
};
ok((wait_for { $empty->() } 60), 'the queue runs empty');
$load->compare;
diag("$cuts power cuts");

# The test can fail: with flushes left out messages are lost.
subtest 'flushes left out' => sub {
	plan(skip_all => 'no C compiler') unless $faulty;
	my $dir = $d->{libexec} = "$d->{dir}/libexec";
	mkdir $dir;
	symlink($_, "$dir/" . s{.*/}{}r) for glob("$Msad::BUILD/msad-*");
	unlink("$dir/msad-queue");
	spew("$d->{dir}/fault", chr(4) . "\0" x 4095, 0666);
	spew("$dir/msad-queue", "#!/bin/sh\nexport LD_PRELOAD='$d->{dir}/fault.so' " .
	    "MSAD_FAULT='$d->{dir}/fault'\nexec '$Msad::BUILD/msad-queue' \"\$@\"\n", 0755);
	$d->stop;
	$d->start;
	$load->hop('STOP');
	my $c = $d->session(0);
	my $u = $d->account(0);
	my $n = grep { $c->submit($u->{address}, 'r@x.example',
	    "From: <$u->{address}>\r\n\r\nx\r\n")->{code} == 250 } 1 .. 20;
	is($n, 20, '20 messages got their 250');
	delete $d->{libexec};
	power_cut('lied to', 1);
	my @q = $d->queue;
	cmp_ok(scalar @q, '<', 20, 'and are not all there: ' . @q);
};
$load->finish;
$d->done;
done_testing();

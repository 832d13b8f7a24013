# Load for the crash tests: messages go in without end, a next hop takes them,
# and in the end both are compared: all that got its 250 has arrived, whole,
# and what arrived twice is explained by a crash between the two.
#
#	my $l = Msad::Load->new;		# before Msad->new: $l->{port}
#	$l->begin($d, { size => 4000, connections => 6 }, ...);
#	... $l->moves(50) or fail; ... $l->broke($from, $to); ...
#	$l->end; $l->compare;
package Msad::Load;
use strict;
use warnings;

use Msad;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

# The programs it needs and that are not built.
sub missing { return grep { !-x "$Msad::BUILD/$_" } qw(b_load b_sink) }

sub new {
	my ($class, %o) = @_;
	return bless { port => free_port(), loads => [], broken => [],
	    counts => {}, %o }, $class;
}

sub spawn {
	my ($out, @cmd) = @_;
	my $pid = fork() // die;
	if ($pid == 0) {
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>>', $out);
		open(STDERR, '>>', "$out.err");
		{ exec(@cmd); }
		POSIX::_exit(127);
	}
	return $pid;
}

# The next hop, and one b_load for each of the shapes.
sub begin {
	my ($self, $d, @shapes) = @_;
	my $dir = $self->{dir} = $d->{dir};
	$self->{sink} = spawn("$dir/sink.out", "$Msad::BUILD/b_sink", '-v',
	    '-p', $self->{port}, '-o', "$dir/received");
	wait_for { -s "$dir/sink.out" } or die 'the next hop does not listen';
	$self->more($d, $_) for @shapes;
}

sub more {
	my ($self, $d, $shape) = @_;
	my $u = $d->account(0);
	my $file = "$d->{dir}/accepted." . @{ $self->{loads} };
	spew($file, '');
	push @{ $self->{loads} }, { file => $file, pid => spawn("$file.out",
	    "$Msad::BUILD/b_load", qw(-k -j -m 200 -n 100000000 -t 86400),
	    '-c', $shape->{connections} // 4, '-s', $shape->{size} // 4000,
	    '-p', $d->{port_tls}, '-u', $u->{name}, '-w', $u->{password},
	    '-f', $u->{address}, '-o', $file) };
}

# How many have got their 250 so far.
sub accepted {
	my ($self) = @_;
	my $n = 0;
	for my $l (@{ $self->{loads} }) {
		open(my $f, '<:raw', $l->{file}) or next;
		seek($f, $l->{read} // 0, 0);
		while (read($f, my $text, 1 << 16)) {
			$l->{read} += length $text;
			$l->{lines} += $text =~ tr/\n//;
		}
		$n += $l->{lines} // 0;
	}
	return $n;
}

# Wait until n more got their 250.
sub moves {
	my ($self, $n, $deadline) = @_;
	my $have = $self->accepted;
	return wait_for { $self->accepted >= $have + $n } $deadline;
}

sub hop { my ($self, $signal) = @_; kill($signal, $self->{sink}) }

# What arrived between these times may arrive again: the record of it may not
# have become durable.
sub broke { my ($self, @span) = @_; push @{ $self->{broken} }, [@span] }

sub end {
	my ($self) = @_;
	for my $l (@{ $self->{loads} }) {
		kill('TERM', $l->{pid});
		waitpid($l->{pid}, 0);
	}
}

sub finish {
	my ($self) = @_;
	$self->hop('CONT');
	$self->hop('TERM');
	waitpid($self->{sink}, 0);
}

# Three tests. Needs an empty queue. reported: Message-IDs that went back to
# their sender instead.
sub compare {
	my ($self, %o) = @_;
	my (%got, %shape, @torn);
	for (split(/\n/, slurp("$self->{dir}/received"))) {
		my ($id, $time, $n, $crc, $how) = split / /;
		push @{ $got{$id} }, $time;
		push @torn, $id if $how ne 'whole';
		$shape{"$n $crc"}++;
	}
	my %sent;
	$sent{$_}++ for map { split(/\n/, slurp($_->{file})) } @{ $self->{loads} };
	my @lost = grep { !$got{$_} && !$o{reported}{$_} } keys %sent;
	my @twice = grep { @{ $got{$_} } > 1 } keys %got;
	my @odd = grep { !$self->explained(@{ $got{$_} }) } @twice;
	my $more = grep { !$sent{$_} } keys %got;
	$self->{counts} = { accepted => scalar keys %sent, arrived =>
	    scalar keys %got, twice => scalar @twice, lost => scalar @lost };
	is(scalar @lost, 0, 'P1 none of ' . keys(%sent) . ' acknowledged is lost') or
	    diag("lost: @lost[0 .. ($#lost > 9 ? 9 : $#lost)]");
	is(@torn + keys(%shape) - @{ $self->{loads} }, 0, 'P1 none is torn') or
	    diag(explain(\%shape), "torn: @torn[0 .. ($#torn > 9 ? 9 : $#torn)]");
	is(scalar @odd, 0, 'P-dur-2 ' . @twice . ' came twice, each for a crash') or
	    diag(map { "$_: @{ $got{$_} }\n" } @odd[0 .. ($#odd > 9 ? 9 : $#odd)]);
	diag(keys(%sent) . ' accepted, ' . keys(%got) . " arrived ($more of them without a 250 seen), " .
	    @twice . ' twice, ' . @lost . ' lost, ' . @torn . ' torn');
}

sub explained {
	my ($self, @times) = @_;
	@times = sort { $a <=> $b } @times;
	pop @times;
	for my $t (@times) {
		return 0 unless grep { $_->[0] <= $t && $t <= $_->[1] }
		    @{ $self->{broken} };
	}
	return 1;
}

1;

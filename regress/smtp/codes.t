# Every reply that the front-end can send is in the table "Replies at a glance"
# of the conformance matrix, and each enhanced code is a registered one.
use strict;
use warnings;
use FindBin;
use Test::More;

my $top = "$FindBin::Bin/../..";
my ($matrix) = grep { defined && -e } ($ENV{MSAD_MATRIX},
    "$top/../shared/CONFORMANCE.md");

sub slurp {
	my ($path) = @_;
	open(my $f, '<:raw', $path) or die "$path: $!";
	local $/;
	return scalar <$f>;
}

# Pairs of the front-end: "250 2.0.0", "354".
my %sent;
my $header = slurp("$top/msad/frontend/reply.h") =~ s/\\\n/ /gr;
my ($table) = $header =~ /#define\s+REPLY_TABLE\(X\)(.*?)\n/s;
$sent{$2 eq '' ? $1 : "$1 $2"} .= " $3" while $table =~
    /X\(\s*\w+,\s*(\d{3}),\s*"([\d.]*)",\s*"((?:[^"\\]|\\.|"\s*")*)"/g;
$sent{334} = ' SASL challenges';	# built where they belong
my $rows = () = $table =~ /X\(/g;
cmp_ok($rows, '>', 40, "the table of reply.h was read: $rows replies");
is(() = $table =~ /X\(\s*\w+,\s*\d{3},\s*"[\d.]*",/g, $rows,
    'all of it was understood');

# IANA's registry of enhanced codes: detail numbers by class and subject, as
# far as they are registered for that class.
my %registered = (
	0 => [0], 1 => [0 .. 10], 2 => [0 .. 4], 3 => [0 .. 6], 4 => [0 .. 7],
	5 => [0 .. 6], 6 => [0 .. 10], 7 => [0 .. 30],
);
for my $pair (sort keys %sent) {
	my ($code, $enh) = split(/ /, $pair);
	isnt($code, 521, "R6409-7-c $pair: not 521");
	next if !defined $enh;
	my ($class, $subject, $detail) = split(/\./, $enh);
	is($class, substr($code, 0, 1), "R2034-3-a $pair: the same class");
	ok($enh =~ /\A[245](?:\.(?:0|[1-9]\d{0,2})){2}\z/ &&
	    grep({ $_ == $detail } @{ $registered{$subject} // [] }),
	    "R3463-2-a $pair: a registered code");
}

SKIP: {
	skip('Replies at a glance: no CONFORMANCE.md beside the checkout', 1)
	    if !defined $matrix;
	my ($glance) = slurp($matrix) =~ /^# Replies at a glance$(.*?)^# /ms;
	my %listed;
	for my $cell ($glance =~ /^\| ([^|]*\d[^|]*) \|/mg) {
		my $code;
		for my $t (split(m{\s*[,/]\s*}, $cell)) {
			$code = $1 if $t =~ s/^(\d{3})\b\s*//;
			$listed{$t =~ /^\d/ ? "$code $t" : $code} = 1;
		}
	}
	cmp_ok(scalar keys %listed, '>', 50, 'the list of the matrix was read');
	for my $pair (sort keys %sent) {
		ok($listed{$pair}, "Replies at a glance: $pair is listed")
		    or diag("said as:$sent{$pair}");
	}
}
done_testing;

# examples.pl OUT FILE...: the examples of manual pages and of README.md that are marked to be run, a file each.
#
# An example is marked by the line before it: `.\" run` before .Bd -literal or .Dl in a manual page, `<!-- run -->`
# before an indented block in Markdown; `run: until stopped` is one that goes on for ever, `run: silent` one that says
# nothing, `run: exit N` one that ends so. OUT/N.sh has the commands, OUT/N.how FILE:LINE and the mark.
use strict;
use warnings;

my ($out, @files) = @ARGV;
my $n = 0;

sub put {
	my ($where, $how, @lines) = @_;
	die "$where: an example without commands\n" unless grep { /\S/ } @lines;
	$n++;
	open my $sh, ">", "$out/$n.sh" or die "$out/$n.sh: $!";
	print $sh map { "$_\n" } @lines;
	open my $note, ">", "$out/$n.how" or die "$out/$n.how: $!";
	print $note "$where\n$how\n";
}

sub plain { # what roff makes of the line
	my ($line) = @_;
	$line =~ s/\\&//g;
	$line =~ s/\\\(aq/'/g;
	$line =~ s/\\-/-/g;
	$line =~ s/\\e/\\/g;
	return $line;
}

for my $file (@files) {
	open my $f, "<", $file or die "$file: $!";
	my @lines = map { chomp; $_ } <$f>;
	for (my $i = 0; $i < @lines; $i++) {
		my ($how) = $lines[$i] =~ ($file =~ /\.md$/ ? qr/^<!-- run(?:: (.*?))? -->$/ : qr/^\.\\" run(?:: (.*))?$/) or next;
		my ($where, @block) = ($file . ":" . ($i + 1));
		$how = $lines[$i] =~ /run: (.*?)(?: -->)?$/ ? $1 : "";
		if ($file =~ /\.md$/) {
			$i++ while $i + 1 < @lines && $lines[$i + 1] eq "";
			push @block, $lines[$i] while $lines[++$i] // "" =~ /x/ and $lines[$i] =~ s/^    //;
		} elsif ($lines[$i + 1] =~ /^\.Dl (?:[\$#] )?(.*)/) {
			push @block, plain($1);
		} elsif ($lines[++$i] =~ /^\.Bd -literal/) {
			push @block, plain($lines[$i]) while $lines[++$i] ne ".Ed";
		} else {
			die "$where: neither .Bd -literal nor .Dl follows\n";
		}
		put($where, $how, @block);
	}
}
print "$n\n";

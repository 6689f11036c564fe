; test error

graph g {
  %x = input : bool[4, 6]
  %y = reduce %x { op = sum, axis = -1 }
  return %y
}

; expect error
;   error: operand of sum is bool[4, 6]
;    --> errors/sum_of_bools.rg:5:8
;     |
;   5 |   %y = reduce %x { op = sum, axis = -1 }
;     |        ^^^^^^^--^^^^^^^^^^^^^^^^^^^^^^^^
;     |        |      |
;     |        |      this is bool[4, 6]
;     |        expected numbers

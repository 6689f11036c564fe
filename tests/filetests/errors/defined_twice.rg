; test error

graph g {
  %x = input : f32[2, 3]
  %x = neg %x
  return %x
}

; expect error
;   error: %x is defined twice
;    --> errors/defined_twice.rg:5:3
;     |
;   4 |   %x = input : f32[2, 3]
;     |   -- first defined here
;   5 |   %x = neg %x
;     |   ^^ expected a new name

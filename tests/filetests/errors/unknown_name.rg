; test error

graph g {
  %query = input : f32[2, 3]
  %y = neg %qery
  return %y
}

; expect error
;   error: %qery is not defined above
;    --> errors/unknown_name.rg:5:12
;     |
;   5 |   %y = neg %qery
;     |            ^^^^^ expected `%query`

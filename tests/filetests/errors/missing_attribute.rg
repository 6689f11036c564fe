; test error

graph g {
  %x = input : f32[2, 3]
  %y = softmax %x
  return %y
}

; expect error
;   error: softmax is incomplete
;    --> errors/missing_attribute.rg:5:8
;     |
;   5 |   %y = softmax %x
;     |        ^^^^^^^^^^ expected attribute `axis`

; test roundtrip
; test eval
; test plan target=x86-64-v4
; test check

// Two kernels: ranks, and who has each rank. Equal entries go to the lower index.
graph top_k {
  %x = input : f32[3, 7]
  %ties = floor %x
  %y = top_k %x { k = 3 }
  %z = top_k %ties { k = 7 }
  return %y, %z
}

; expect roundtrip
;   graph top_k {
;     %x = input : f32[3, 7]
;     %ties = floor %x : f32[3, 7]
;     %y = top_k %x { k = 3 } : i32[3, 3]
;     %z = top_k %ties { k = 7 } : i32[3, 7]
;     return %y, %z
;   }

; expect eval
;   693 flops
;   %y : i32[3, 3] = 2.00000 5.00000 6.00000 0.00000 5.00000 4.00000 … norm 11.48913
;   %z : i32[3, 7] = 1.00000 2.00000 5.00000 6.00000 0.00000 3.00000 … norm 16.52271

; expect plan target=x86-64-v4
;   plan top_k {
;     %20 = row [21, 1] reading %x, %5
;     %y = row [3, 3] reading %20, %6, %1
;     %42 = row [21, 1] reading %x, %5
;     %z = row [3, 7] reading %42, %2, %1
;   }

; expect check
;   %y, %z within 1e-5 of the reference
